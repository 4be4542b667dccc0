namespace Uniscale.Data.Tests;

public sealed class CoverageTests : IDisposable
{
    private readonly ShardFolder _corpus = new();

    public void Dispose() => _corpus.Dispose();

    /// <summary>Held against a count of every token that was read.</summary>
    [Theory]
    [InlineData(16 * 40)]
    [InlineData(16 * 150)]
    public void Tokens_and_times_are_those_of_what_was_read(long tokens)
    {
        using var curriculum = Curriculum.FromConfiguration(
            ShardFolder.Run(16, 2, tokens, _corpus.Source("a", 500), _corpus.Source("b", 700, 10_000))
        );
        var coverage = new Coverage();
        var counts = new Dictionary<int, int>();
        foreach ((long index, int[] read, _) in CurriculumTests.Samples(curriculum))
        {
            coverage.Add(curriculum, curriculum.Locate(index));
            foreach (int token in read[..^1])
                counts[token] = counts.GetValueOrDefault(token) + 1;
        }
        foreach (string source in (string[])["a", "b"])
        {
            int[] times = [.. counts.Where(count => count.Key < 10_000 == (source == "a")).Select(count => count.Value)];
            Assert.Equal((times.Length, times.Max()), coverage.Of(source));
        }
        Assert.Equal(tokens > 1200, counts.Values.Max() > 1);
    }

    [Fact]
    public void Overlaps_are_seen_where_they_begin_and_end_and_neighbours_are_none()
    {
        using var curriculum = Curriculum.FromConfiguration(ShardFolder.Run(16, 1, 160, _corpus.Source("a", 500)));
        var coverage = new Coverage();
        Assert.Equal((0, 0), coverage.Of("a"));
        for (int index = 0; index < 10; index++)
            coverage.Add(curriculum, curriculum.Locate(index));
        Assert.Equal((160, 1), coverage.Of("a"));
        coverage.Add(curriculum, curriculum.Locate(7));
        Assert.Equal((160, 2), coverage.Of("a"));
    }
}
