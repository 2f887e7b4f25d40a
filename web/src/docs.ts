// The API's documentation, drawn by Swagger UI from the server's own description.

declare const SwaggerUIBundle: (options: { url: string; dom_id: string }) => unknown;

SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs" });
