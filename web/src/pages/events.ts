import "@fontsource-variable/atkinson-hyperlegible-next/wght.css"
import "../views/theme.css"

import { mount } from "svelte"

import LiveEvents from "../views/viewer/LiveEvents.svelte"

const target = document.getElementById("page")
if (!target) throw new Error("the page has no place for the events")
mount(LiveEvents, { target })
