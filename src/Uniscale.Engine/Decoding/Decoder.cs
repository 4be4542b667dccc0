using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Kernels;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Decoding;

/// <summary>Reads tokens one after the other and says what may come next; each token goes through the model once.</summary>
public sealed class Decoder : IDisposable
{
    private readonly IReadOnlyList<Block> _blocks;
    private readonly Func<Block, IReadOnlyList<Tensor>> _parameters;
    private readonly KeyValueCache _cache;
    private readonly ParallelOps _ops;

    /// <param name="blocks">The whole model.</param>
    /// <param name="parameters">Whole parameters of a block, in the order of its specifications.</param>
    /// <param name="capacity">Tokens that can be read.</param>
    /// <param name="kernels">The mathematics; null: the native ones.</param>
    public Decoder(IReadOnlyList<Block> blocks, Func<Block, IReadOnlyList<Tensor>> parameters, int capacity, IKernels? kernels = null)
    {
        this._blocks = blocks;
        this._parameters = parameters;
        _cache = new KeyValueCache(capacity);
        _ops = ParallelOps.Decoding(_cache, kernels: kernels);
    }

    /// <summary>Tokens read so far.</summary>
    public int Length => _cache.Length;

    /// <summary>Reads more tokens; logits of the one after the last, fp32 [vocabulary], in the caller's dispose scope.</summary>
    public Tensor Read(params ReadOnlySpan<int> tokens)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        long[] ids = new long[tokens.Length];
        for (int i = 0; i < ids.Length; i++)
            ids[i] = tokens[i];
        var batch = from_array(ids).unsqueeze(0);
        var context = new MicrobatchContext
        {
            Index = 0,
            Tokens = batch,
            Positions = arange(Scalars.Of(_cache.Length), Scalars.Of(_cache.Length + ids.Length), Scalars.One, int64).unsqueeze(0),
        };
        Tensor? x = null;
        foreach (var block in _blocks.SkipLast(1))
            x = block.Forward(_parameters(block), x, context, _ops);
        _cache.Advance(ids.Length);
        var head = (HeadBlock)_blocks[^1];
        var last = x!.narrow(1, ids.Length - 1, 1).contiguous();
        return head.Logits(_parameters(head), last, _ops).view(-1).MoveToOuterDisposeScope();
    }

    /// <summary>Forgets all but the first tokens, to go on from there.</summary>
    public void Truncate(int length) => _cache.Truncate(length);

    public void Dispose() => _cache.Dispose();
}
