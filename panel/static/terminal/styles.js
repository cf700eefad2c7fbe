// Lets xterm.js style itself under a content security policy without 'unsafe-inline'.
//
// It writes <style> elements and style attributes, which the policy refuses, where it could use the CSSOM, which the
// policy allows. The style elements that it makes while it opens become constructed sheets, and its spans get their
// style by property. (Its option documentOverride doesn't reach all of its parts.)

/** Run what makes style elements; each of them is a constructed sheet. */
export function withConstructedSheets(open) {
  document.createElement = (tag, options) =>
    tag === "style" ? makeSheet() : Document.prototype.createElement.call(document, tag, options);
  try {
    return open();
  } finally {
    delete document.createElement;
  }
}

/** Have style attributes of spans set as properties; only xterm sets any. */
export function styleSpansByProperty() {
  HTMLSpanElement.prototype.setAttribute = function setAttribute(name, value) {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}

function makeSheet() {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  const element = Document.prototype.createElement.call(document, "template");
  Object.defineProperty(element, "textContent", { set: (text) => sheet.replaceSync(text) });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}
