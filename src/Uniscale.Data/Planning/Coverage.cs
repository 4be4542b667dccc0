namespace Uniscale.Data;

/// <summary>
/// How often each token of each source was fed, from the stretches that were: 32 bytes a stretch, so for runs whose sequences fit in
/// memory.
/// </summary>
public sealed class Coverage
{
    private readonly Dictionary<string, List<(long Position, int Change)>> _ends = [];

    /// <summary>Adds a sequence as the curriculum finds it.</summary>
    public void Add(Curriculum curriculum, SampleLocation sample)
    {
        string source = curriculum.Sources[sample.Source].Name;
        if (!_ends.TryGetValue(source, out var ends))
            _ends[source] = ends = [];
        foreach (var piece in curriculum.PiecesOf(sample))
        {
            ends.Add((piece.Position, 1));
            ends.Add((piece.Position + piece.Count, -1));
        }
    }

    /// <summary>Tokens of a source that were fed, each counted once, and the most often that one of them was.</summary>
    public (long Tokens, int Times) Of(string source)
    {
        if (!_ends.TryGetValue(source, out var ends))
            return (0, 0);
        ends.Sort(); // at one place ends come before beginnings
        long tokens = 0,
            from = 0;
        int depth = 0,
            times = 0;
        foreach ((long position, int change) in ends)
        {
            tokens += depth > 0 ? position - from : 0;
            from = position;
            depth += change;
            times = Math.Max(times, depth);
        }
        return (tokens, times);
    }
}
