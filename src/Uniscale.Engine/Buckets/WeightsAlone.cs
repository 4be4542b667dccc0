using Uniscale.Checkpoints;
using Uniscale.Engine.Devices;
using static TorchSharp.torch;

namespace Uniscale.Engine.Buckets;

/// <summary>
/// Fills a bucket from a checkpoint that holds fp32 weights and no optimizer state, whatever type the bucket's parameters have. What the
/// load leaves out stays as it is.
/// </summary>
internal sealed class WeightsAlone : IDisposable
{
    private readonly Bucket _bucket;
    private readonly Tensor _weights;
    private readonly FlatSpan _held;

    /// <param name="bucket">The bucket; not owned.</param>
    public WeightsAlone(Bucket bucket)
    {
        this._bucket = bucket;
        _held = bucket.ParametersAreSharded ? bucket.Layout.Shard : new FlatSpan(0, bucket.Layout.Count);
        using (NewDisposeScope())
        {
            var present = (bucket.ParametersAreSharded ? bucket.ParameterShard : bucket.WholeFlat).detach();
            _weights = present.cpu().to(ScalarType.Float32).clone().DetachFromDisposeScope();
        }
        Slices = [.. BucketSlices.Of(bucket, DirectLink.Instance.Image(), "", _weights, _held, ownedOnly: false)];
    }

    /// <summary>What the load fills.</summary>
    public IReadOnlyList<StateSlice> Slices { get; }

    /// <summary>Takes the loaded weights over; the optimizer's moments begin at 0.</summary>
    public void Apply(HostLink link)
    {
        using var gradientFree = no_grad();
        using var scope = NewDisposeScope();
        var shard = _bucket.Layout.Shard;
        var there = link.Upload(_weights);
        (_bucket.ParametersAreSharded ? _bucket.ParameterShard : _bucket.WholeFlat).copy_(there);
        if (_bucket.Type != ScalarType.Float32 && !_bucket.IsFrozen)
            _bucket.Master.copy_(there.narrow(0, shard.Start - _held.Start, shard.Count));
        _bucket.FirstMoment.zero_();
        _bucket.SecondMoment.zero_();
    }

    /// <inheritdoc/>
    public void Dispose() => _weights.Dispose();
}
