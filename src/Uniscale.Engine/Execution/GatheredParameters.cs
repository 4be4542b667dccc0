using Uniscale.Engine.Buckets;

namespace Uniscale.Engine.Execution;

/// <summary>
/// The whole parameters of a rank's blocks between two steps, gathered where they are sharded (ZeRO-3), to read the model as it is; what
/// was gathered is
/// released with it. Collective over the ranks that share them, and to be disposed before the next step.
/// </summary>
public sealed class GatheredParameters : IDisposable
{
    private readonly ParameterGatherer _gatherer;
    private readonly List<Bucket> _gathered = [];

    /// <param name="rank">The rank; not owned. No gathering of its own may be under way (<c>RankRuntime.Settle</c>).</param>
    public GatheredParameters(RankState rank)
    {
        _gatherer = new ParameterGatherer(rank);
        _gatherer.Begin();
        foreach (var bucket in rank.Buckets)
            if (_gatherer.Ensure(bucket))
                _gathered.Add(bucket);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var bucket in _gathered)
            _gatherer.Release(bucket);
        _gathered.Clear();
    }
}
