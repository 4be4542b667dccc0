using Uniscale.Collectives;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Devices;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>
/// Sums gradients over the replicas: reduce-scatter within the shard group, then all-reduce of the shard among its holders.
/// Reductions run beside compute; second phases are posted at fixed places of the program, so that all ranks post alike.
/// </summary>
/// <param name="rank">This rank.</param>
internal sealed class GradientReducer(RankState rank)
{
    /// <summary>Reductions that may run before the oldest is waited for, where each keeps whole gradients in memory.</summary>
    private const int Depth = 2;

    private readonly Queue<Reduction> _scattering = new();
    private readonly List<IWork> _reducing = [];

    /// <summary>Posts the reduction of a block's gradients.</summary>
    /// <param name="bucket">The block's buffers.</param>
    /// <param name="last">No contribution of this step follows.</param>
    public void Post(Bucket bucket, bool last)
    {
        var groups = rank.GroupsOf(bucket);
        if (groups.Shards.Size == 1)
        {
            // Where others of the block are sharded, this one waits until it holds all contributions.
            if (!last)
                return;
            bucket.TakeWholeGradient();
            AllReduceShard(bucket);
            return;
        }
        while (bucket.GradientsAreSharded && _scattering.Count >= Depth)
            FinishOldest();
        // A shard that has contributions already, or is about to have some from a posted reduction, gets this one added.
        bool adds = bucket.ShardHoldsGradient;
        bucket.ShardHoldsGradient = true;
        var whole = bucket.TakeWholeGradient();
        var target = adds ? empty_like(bucket.GradientShard).DetachFromDisposeScope() : bucket.GradientShard;
        var work = groups.Shards.ReduceScatter(TensorBuffer.Of(whole), TensorBuffer.Of(target));
        _scattering.Enqueue(new Reduction(bucket, whole, adds ? target : null, work, last));
    }

    /// <summary>
    /// Sums a tied matrix's gradients with those of the other holder, and waits: the reduction over replicas, in another group, needs the
    /// result.
    /// </summary>
    public void SumTied(ParameterSlot slot) => rank.Groups.Tied!.AllReduce(TensorBuffer.Of(slot.Sum.Begun())).Wait();

    /// <summary>Waits until every shard holds its sum.</summary>
    public void Finish()
    {
        while (_scattering.Count > 0)
            FinishOldest();
        foreach (var work in _reducing)
            work.Wait();
        _reducing.Clear();
    }

    private void FinishOldest()
    {
        var oldest = _scattering.Dequeue();
        oldest.Work.Wait();
        if (oldest.Addend is { } addend)
        {
            oldest.Bucket.GradientShard.add_(addend, Scalars.One);
            addend.Dispose();
        }
        if (oldest.Bucket.GradientsAreSharded)
            oldest.Whole.Dispose();
        if (oldest.Last)
            AllReduceShard(oldest.Bucket);
    }

    private void AllReduceShard(Bucket bucket)
    {
        var holders = rank.GroupsOf(bucket).ShardReplicas;
        if (holders.Size > 1)
            _reducing.Add(holders.AllReduce(TensorBuffer.Of(bucket.GradientShard)));
    }

    private sealed record Reduction(Bucket Bucket, Tensor Whole, Tensor? Addend, IWork Work, bool Last);
}
