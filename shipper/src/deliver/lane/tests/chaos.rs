//! Random faults and crashes at every call, judged by a model.
