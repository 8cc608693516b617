import "@fontsource-variable/atkinson-hyperlegible-next/wght.css"
import "../views/theme.css"

import { mount } from "svelte"

import ApiReference from "../views/reference/ApiReference.svelte"

const target = document.getElementById("page")
if (!target) throw new Error("the page has no place for the reference")
mount(ApiReference, { target })
