/** One day's weather in a city. */
export interface Weather {
  city: string;
  temperature: number;
  sky: string;
}

const SKIES = ['sunny', 'cloudy', 'rainy', 'windy', 'foggy'];

/**
 * Invents the weather of a city: the same city always has the same weather, so that examples and tests can rely on it.
 *
 * @throws for the city "boom", to show what a failure looks like in a trace.
 */
export function lookUpWeather(city: string): Weather {
  if (city.trim().toLowerCase() === 'boom') {
    throw new Error('The weather station of "boom" has exploded');
  }
  const seed = [...city].reduce((sum, letter) => sum + letter.codePointAt(0)!, 0);
  return { city, temperature: 5 + (seed % 25), sky: SKIES[seed % SKIES.length]! };
}
