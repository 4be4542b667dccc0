using Uniscale.Configuration;

namespace Uniscale.Data.Tests;

/// <summary>
/// A folder of small shards that removes itself. Token values say where they come from, so that a test can tell what was read.
/// </summary>
internal sealed class ShardFolder : IDisposable
{
    public ShardFolder() => Root = Directory.CreateTempSubdirectory("uniscale-data-").FullName;

    public string Root { get; }

    public string PathOf(string name) => Path.Combine(Root, name);

    /// <summary>Writes a shard whose token at position i is first + i, in documents of the given lengths.</summary>
    public string Count(string name, int first, params int[] documents)
    {
        using var writer = new ShardWriter(PathOf(name), TokenType.Int32);
        int next = first;
        foreach (int length in documents)
        {
            writer.Add(Enumerable.Range(next, length).ToArray());
            next += length;
        }
        writer.Complete();
        return PathOf(name);
    }

    /// <summary>A source of one counting shard, cut into documents of 37 tokens.</summary>
    public SourceSection Source(string name, int tokens, int first = 0, double weight = 0)
    {
        int[] documents = [.. Enumerable.Repeat(37, tokens / 37), .. tokens % 37 > 0 ? new[] { tokens % 37 } : []];
        return new SourceSection
        {
            Name = name,
            Domain = name,
            Shards = [Count(name, first, documents)],
            Weight = weight,
        };
    }

    public static RunConfiguration Run(int context, int batch, long tokens, params SourceSection[] sources) =>
        new()
        {
            Model = new ModelSection { Context = context },
            Batch = new BatchSection { Global = batch },
            Train = new TrainSection { Tokens = tokens },
            Data = new DataSection { Sources = sources },
        };

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
