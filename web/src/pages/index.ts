import "@fontsource-variable/atkinson-hyperlegible-next/wght.css"
import "../views/look.css"

import { mount } from "svelte"

import Famichat from "../views/Famichat.svelte"

const target = document.getElementById("page")
if (!target) throw new Error("the page has no place for Famichat")
mount(Famichat, { target })
