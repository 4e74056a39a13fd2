//! What is said later than at the event: delays, journeys, daily triggers, quiet hours; and that a
//! restart in their midst changes nothing.

mod absence;
mod daily;
mod halfway;
mod journey;
mod parking;
mod quiet;
mod recovery;
