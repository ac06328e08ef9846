//! `brigade conform` against devices that keep every rule, and against devices that break one each.

#[path = "../python/mod.rs"]
mod python;
#[expect(dead_code, reason = "a controller that is only heard needs a part of it")]
#[path = "../session_controller/mod.rs"]
mod session_controller;

mod breaking;
mod broken;
mod flaws;
mod good;
mod said;
mod support;
