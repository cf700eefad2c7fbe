// Ends at once, saying why.
console.log('about to fail');
console.error('Error: no model is configured');
process.exit(3);
