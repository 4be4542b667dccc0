using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>Turns the names and weights of a phase into one share a source.</summary>
internal static class Mixture
{
    /// <summary>Shares by source, summing to one.</summary>
    /// <param name="sources">The run's sources.</param>
    /// <param name="sections">Their configuration, in the same order.</param>
    /// <param name="mixture">Weights by source or domain; empty: the sources' own weights, or their sizes where no source has one.</param>
    /// <param name="phase">Name of the phase, for messages.</param>
    public static double[] Resolve(
        IReadOnlyList<TokenSource> sources,
        IReadOnlyList<SourceSection> sections,
        IReadOnlyDictionary<string, double> mixture,
        string phase
    )
    {
        double[] weights =
            mixture.Count > 0
                ? FromNames(sources, mixture, phase)
                :
                [
                    .. sections.Any(section => section.Weight != 0)
                        ? sections.Select(section => section.Weight)
                        : sources.Select(source => (double)source.TokenCount),
                ];
        for (int i = 0; i < weights.Length; i++)
            if (!(weights[i] >= 0) || double.IsInfinity(weights[i]))
                throw new UserErrorException(
                    $"The data source '{sources[i].Name}' has the weight {weights[i]} in phase '{phase}'; weights are numbers from 0."
                );
        double total = weights.Sum();
        if (total <= 0)
            throw new UserErrorException(
                $"No data source has a weight in phase '{phase}'; give at least one source or domain a weight above 0."
            );
        return [.. weights.Select(weight => weight / total)];
    }

    private static double[] FromNames(IReadOnlyList<TokenSource> sources, IReadOnlyDictionary<string, double> mixture, string phase)
    {
        double[] weights = new double[sources.Count];
        foreach ((string name, double weight) in mixture)
        {
            int[] named = Matching(sources, source => source.Name == name);
            if (named.Length == 0)
                named = Matching(sources, source => source.Domain == name);
            if (named.Length == 0)
            {
                string known = string.Join(
                    ", ",
                    sources.Select(source => source.Name).Concat(sources.Select(source => source.Domain)).Distinct()
                );
                throw new UserErrorException(
                    $"The mixture of phase '{phase}' names '{name}', which is neither a source nor a domain; there are {known}."
                );
            }
            double tokens = named.Sum(i => (double)sources[i].TokenCount);
            foreach (int i in named)
                weights[i] += tokens > 0 ? weight * sources[i].TokenCount / tokens : weight / named.Length;
        }
        return weights;
    }

    private static int[] Matching(IReadOnlyList<TokenSource> sources, Func<TokenSource, bool> condition) =>
        [.. Enumerable.Range(0, sources.Count).Where(i => condition(sources[i]))];
}
