// Text of an answer as Markdown; while it streams it is rendered at most once a frame.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { copied } from "./clipboard.ts";
import { prepare, render } from "./markdown.ts";
import { say } from "./store.ts";

export function Markdown({ text }: { text: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [, again] = useState(0);
  useEffect(() => {
    let here = true;
    void prepare(text).then((loaded) => here && loaded && again((count) => count + 1));
    return () => {
      here = false;
    };
  }, [text]);
  useLayoutEffect(() => {
    for (const button of box.current?.querySelectorAll<HTMLButtonElement>(".copy-code") ?? []) {
      button.textContent = say("copy");
      button.setAttribute("aria-label", say("copyCode"));
    }
  });
  return <div class="markdown" ref={box} onClick={copyCode} dangerouslySetInnerHTML={{ __html: render(text) }} />;
}

function copyCode(event: MouseEvent): void {
  const button = event.target;
  if (!(button instanceof HTMLButtonElement) || !button.classList.contains("copy-code")) return;
  const code = button.closest(".code")?.querySelector("code")?.textContent ?? "";
  void copied(code).then(() => {
    button.textContent = say("copied");
  });
}
