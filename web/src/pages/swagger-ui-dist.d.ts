/** The package has no types; this declares the part in use. */
declare module "swagger-ui-dist" {
  export function SwaggerUIBundle(options: {
    url: string
    dom_id: string
    deepLinking: boolean
    validatorUrl: null
  }): unknown
}
