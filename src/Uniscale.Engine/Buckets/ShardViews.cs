using static TorchSharp.torch;

namespace Uniscale.Engine.Buckets;

/// <summary>A stretch of a shard whose elements are updated alike, in each of its buffers.</summary>
/// <param name="Decays">Weight decay applies.</param>
/// <param name="Master">fp32 weights.</param>
/// <param name="Rounded">The weights in their own type; null where they are fp32.</param>
/// <param name="Gradient">Summed gradients.</param>
/// <param name="FirstMoment">Running mean of gradients.</param>
/// <param name="SecondMoment">Running mean of squared gradients.</param>
internal sealed record ShardRun(bool Decays, Tensor Master, Tensor? Rounded, Tensor Gradient, Tensor FirstMoment, Tensor SecondMoment)
    : IDisposable
{
    public void Dispose()
    {
        Master.Dispose();
        Rounded?.Dispose();
        Gradient.Dispose();
        FirstMoment.Dispose();
        SecondMoment.Dispose();
    }
}

/// <summary>The views of a shard that the optimizer takes, made at their first use and kept: the buffers stay where they are.</summary>
/// <param name="bucket">Whose shard.</param>
internal sealed class ShardViews(Bucket bucket) : IDisposable
{
    private ShardRun[]? _runs;
    private (int Replica, int ReplicaCount) _owner;
    private Tensor[]? _owned;

    /// <summary>The elements with weight decay and those without, where the shard has any.</summary>
    public IReadOnlyList<ShardRun> Runs => _runs ??= MakeRuns();

    /// <summary>The gradients that one of the holders of this shard counts (<see cref="FlatLayout.OwnedRuns"/>).</summary>
    public IReadOnlyList<Tensor> OwnedGradients(int replica, int replicaCount)
    {
        if (_owned is not null && _owner == (replica, replicaCount))
            return _owned;
        FreeOwned();
        _owner = (replica, replicaCount);
        return _owned = [.. bucket.Layout.OwnedRuns(replica, replicaCount).Select(range => View(bucket.GradientShard, range))];
    }

    public void Dispose()
    {
        foreach (var run in _runs ?? [])
            run.Dispose();
        _runs = null;
        FreeOwned();
    }

    private ShardRun[] MakeRuns()
    {
        var layout = bucket.Layout;
        var runs = new List<ShardRun>(2);
        Add(new FlatSpan(0, layout.DecayEnd), decays: true);
        Add(new FlatSpan(layout.DecayEnd, layout.Count), decays: false);
        return [.. runs];

        void Add(FlatSpan all, bool decays)
        {
            var range = all.Intersect(layout.Shard);
            if (range.Count == 0)
                return;
            var rounded = ReferenceEquals(bucket.Master, bucket.ParameterShard) ? null : View(bucket.ParameterShard, range);
            runs.Add(
                new ShardRun(
                    decays,
                    View(bucket.Master, range),
                    rounded,
                    View(bucket.GradientShard, range),
                    View(bucket.FirstMoment, range),
                    View(bucket.SecondMoment, range)
                )
            );
        }
    }

    private Tensor View(Tensor shard, FlatSpan range) =>
        shard.narrow(0, range.Start - bucket.Layout.Shard.Start, range.Count).DetachFromDisposeScope();

    private void FreeOwned()
    {
        foreach (var view in _owned ?? [])
            view.Dispose();
        _owned = null;
    }
}
