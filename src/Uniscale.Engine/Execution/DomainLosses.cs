using Uniscale.Engine.Devices;
using Uniscale.Engine.Model;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>
/// Sums of token losses by the domain of their sequence, collected where the head computes them. They stay on the device until the step's
/// one exchange.
/// </summary>
internal sealed class DomainLosses : IDisposable
{
    private readonly IStepBatch _batch;
    private readonly HostLink _link;

    private DomainLosses(IStepBatch batch, HostLink link)
    {
        (_batch, _link) = (batch, link);
        Sums = zeros([batch.DomainCount], ScalarType.Float64, link.Device).DetachFromDisposeScope();
    }

    /// <summary>Sum by domain until now, fp64 [domains].</summary>
    public Tensor Sums { get; }

    /// <summary>Those of a batch; null: its sequences are all of one domain, or are not told apart.</summary>
    public static DomainLosses? Of(IStepBatch batch, HostLink link) => batch.DomainCount > 1 ? new DomainLosses(batch, link) : null;

    /// <summary>The same microbatch, with a place for the losses of its tokens in the dispose scope of the caller.</summary>
    public static MicrobatchContext Asking(MicrobatchContext context) =>
        context with
        {
            TokenLosses = TensorMemory.EmptyLike(context.Tokens, ScalarType.Float32),
        };

    /// <summary>Adds what the head has told of a microbatch.</summary>
    public void Add(MicrobatchContext told)
    {
        var rows = told.TokenLosses!.sum(1, type: ScalarType.Float64);
        var domains = _link.Upload(tensor([.. _batch.RowDomains(told.Index).Select(domain => (long)domain)]));
        Sums.index_add_(0, domains, rows, Scalars.One);
    }

    /// <inheritdoc/>
    public void Dispose() => Sums.Dispose();
}
