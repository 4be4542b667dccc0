using Uniscale.Collectives;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Mesh;
using Uniscale.Engine.Parallel;

namespace Uniscale.Engine.Execution;

/// <summary>Makes whole parameters out of shards: before a pass (ZeRO-3), or after an update (ZeRO-1, 2).</summary>
/// <param name="groups">This rank's groups.</param>
internal sealed class ParameterGatherer(ProcessGroups groups)
{
    private readonly Dictionary<Bucket, IWork> _pending = [];
    private IWork? _agreement;

    /// <summary>A step or an evaluation begins. Shards do not change within it until all ranks have come to its end (the sums of norm and loss are
    /// over all of them), so where shards lie in common memory one agreement that they are up to date serves for all of it.</summary>
    public void Begin() => _agreement = null;

    /// <summary>Posts the gathering of a block's parameters from the shards of its group.</summary>
    public void Post(Bucket bucket)
    {
        if (bucket.Layout.ShardCount == 1) return;
        bucket.Materialize();
        if (bucket.ParametersAreShared)
        {
            _pending[bucket] = _agreement ??= groups.Shards.Barrier();
            return;
        }
        _pending[bucket] = groups.Shards.AllGather(TensorBuffer.Of(bucket.ParameterShard), TensorBuffer.Of(bucket.WholeFlat));
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
        if (!asked) Post(bucket);
        Wait(bucket);
        return !asked;
    }

    /// <summary>Waits for all posted gatherings.</summary>
    public void Finish()
    {
        foreach (var work in _pending.Values) work.Wait();
        _pending.Clear();
    }

    /// <summary>Waits until no gathering touches the buckets' memory, which is about to be freed; a failure is not this caller's to tell.</summary>
    public void Abandon()
    {
        foreach (var work in _pending.Values) work.WaitRegardless();
        _pending.Clear();
    }

    private void Wait(Bucket bucket)
    {
        if (_pending.Remove(bucket, out var work)) work.Wait();
    }
}
