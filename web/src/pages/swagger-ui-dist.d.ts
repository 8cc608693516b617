/** The package brings no types; this is the part that is used. */
declare module "swagger-ui-dist" {
  export function SwaggerUIBundle(options: {
    url: string
    dom_id: string
    deepLinking: boolean
    validatorUrl: null
  }): unknown
}
