//! Volcengine's console: the chat of its experience centre, reached with a browser's `x-web-id` and authorization.
//! Volcengine publishes no interface. What is known, and what is only assumed, is in `protocols: volcengine` A; so the
//! address, the headers, the body and the signs of a used-up id are configuration, and every known form is read.
pub mod body;
pub mod call;
pub mod decode;
pub mod failure;
pub mod settings;
