//! The package comes to the page in two parts (`scripts/split.mjs`). What the second holds can be called before it has
//! arrived: the first then asks the page for it here, and goes on when the page has instantiated it.

use std::cell::RefCell;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// The page's answer to what is missing.
    #[wasm_bindgen(js_name = Function, typescript_type = "() => void")]
    #[derive(Clone)]
    pub type Fetch;
    // Without `catch`: what the page throws ends the call into the engines, as it should.
    #[wasm_bindgen(method)]
    fn call(this: &Fetch, context: &JsValue);
}

thread_local! {
    static PAGE: RefCell<Option<Fetch>> = const { RefCell::new(None) };
}

/// Says whom to ask: a function without arguments that returns when the second part is instantiated.
#[wasm_bindgen(js_name = onMissing)]
pub fn on_missing(fetch: Fetch) {
    PAGE.with(|page| *page.borrow_mut() = Some(fetch));
}

/// Asks the page for the second part. Called by the stubs that the split leaves in the first.
#[wasm_bindgen(js_name = fetchRest)]
pub fn fetch_rest() {
    let page = PAGE.with(|page| page.borrow().clone());
    if let Some(page) = page {
        page.call(&JsValue::NULL);
    }
}
