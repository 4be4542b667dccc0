using Uniscale.Collectives;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Devices;

namespace Uniscale.Engine.Execution;

/// <summary>Makes whole parameters out of shards: before a pass (ZeRO-3), or after an update (ZeRO-1, 2).</summary>
/// <param name="rank">This rank.</param>
internal sealed class ParameterGatherer(RankState rank)
{
    private readonly Dictionary<Bucket, IWork> _pending = [];
    private readonly Dictionary<IProcessGroup, IWork> _agreements = [];

    /// <summary>A step or an evaluation begins. Shards do not change within it until all ranks have come to its end (the sums of norm and
    /// loss are
    /// over all of them), so where shards lie in common memory one agreement of a group that they are up to date serves for all of
    /// it.</summary>
    public void Begin() => _agreements.Clear();

    /// <summary>Posts the gathering of a block's parameters from the shards of its group.</summary>
    public void Post(Bucket bucket)
    {
        if (bucket.Layout.ShardCount == 1)
            return;
        bucket.Materialize();
        var shards = rank.GroupsOf(bucket).Shards;
        if (bucket.ParametersAreShared)
        {
            if (!_agreements.TryGetValue(shards, out var agreement))
                _agreements[shards] = agreement = shards.Barrier();
            _pending[bucket] = agreement;
            return;
        }
        _pending[bucket] = shards.AllGather(TensorBuffer.Of(bucket.ParameterShard), TensorBuffer.Of(bucket.WholeFlat));
    }

    /// <summary>Frees gathered parameters.</summary>
    public void Release(Bucket bucket)
    {
        Wait(bucket);
        bucket.Release();
    }

    /// <summary>Waits until the whole parameters of a bucket are in place, and gathers those that the program did not ask for
    /// (the embedding's, read by a tied head). Returns whether the caller has to release them.</summary>
    public bool Ensure(Bucket bucket)
    {
        bool asked = bucket.IsGathered;
        if (!asked)
            Post(bucket);
        Wait(bucket);
        return !asked;
    }

    /// <summary>Waits for all posted gatherings.</summary>
    public void Finish()
    {
        foreach (var work in _pending.Values)
            work.Wait();
        _pending.Clear();
    }

    /// <summary>
    /// Waits until no gathering touches the buckets' memory, which is about to be freed; a failure is not this caller's to tell.
    /// </summary>
    public void Abandon()
    {
        foreach (var work in _pending.Values)
            work.WaitRegardless();
        _pending.Clear();
    }

    private void Wait(Bucket bucket)
    {
        if (_pending.Remove(bucket, out var work))
            work.Wait();
    }
}
