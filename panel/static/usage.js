// Days are those of this browser's time zone unless the address names another.

const field = document.querySelector("[data-timezone]");
if (field && !field.value) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
