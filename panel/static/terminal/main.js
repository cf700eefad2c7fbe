// Makes a log of every section that the macro log_view of log.html put on the page.

import { LogView } from "./view.js";

for (const section of document.querySelectorAll("[data-log]")) section.logView = new LogView(section);
