using Uniscale.Engine.Devices;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Kernels;
using Uniscale.Kernels.Cpu;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Decoding;

/// <summary>
/// Reads new tokens of many sequences together and says what may come next. Each token goes through the model once, and what comes out for
/// a sequence
/// depends on its own tokens alone: the same bits whatever is read beside it, and in however many parts (on the CPU; decision 0210).
/// </summary>
public sealed class Decoder : IDisposable
{
    /// <summary>Logits that exist at one time.</summary>
    private const long LogitsBudget = 16 << 20;

    private readonly IReadOnlyList<Block> _blocks;
    private readonly Func<Block, IReadOnlyList<Tensor>> _parameters;
    private readonly CachedSequences _sequences = new();
    private readonly DecodingGroups _groups;
    private readonly IKernels _kernels;
    private readonly bool _ownsKernels;
    private readonly ParallelOps _ops;
    private readonly DirectLayers? _direct;

    /// <param name="blocks">The whole row of blocks.</param>
    /// <param name="parameters">This rank's part of the parameters of a block that it holds, in the order of the block's
    /// specifications.</param>
    /// <param name="groups">Whom the model is spread over; null: this rank has it whole.</param>
    /// <param name="kernels">The mathematics, not owned; null: the native ones, with the same bits whatever the batch.</param>
    public Decoder(
        IReadOnlyList<Block> blocks,
        Func<Block, IReadOnlyList<Tensor>> parameters,
        DecodingGroups? groups = null,
        IKernels? kernels = null
    )
    {
        _blocks = blocks;
        _parameters = parameters;
        _groups = groups ?? new DecodingGroups();
        _ownsKernels = kernels is null;
        _kernels = kernels ?? new NativeKernels(packWeights: true, batchInvariant: true);
        var tensor = _groups.Tensor is { Size: > 1 } several ? several : null;
        _ops = ParallelOps.Decoding(_sequences, tensor, _kernels);
        _direct = tensor is null && _kernels is NativeKernels native ? new DirectLayers(native, _sequences) : null;
    }

    /// <summary>
    /// Base of the rotary angles where it is another than the model's; sequences that were begun under another base must not go on.
    /// </summary>
    public double? RopeBase { get; init; }

    /// <summary>Type of what flows between blocks.</summary>
    public ScalarType Type { get; init; } = ScalarType.Float32;

    /// <summary>Where the parameters lie.</summary>
    public Device Device { get; init; } = CPU;

    /// <summary>Reads the parts, and gives the logits that are wanted, part by part; on every rank that reads.</summary>
    public void Read(IReadOnlyList<SequencePart> parts, LogitsReader take)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        long[] tokens = new long[parts.Sum(part => part.Tokens.Length)],
            positions = new long[tokens.Length];
        var rows = new List<(int Part, int Index, long Row)>();
        int next = 0;
        for (int i = 0; i < parts.Count; i++)
        {
            var (cache, added, wanted) = parts[i];
            if (added.IsEmpty)
                throw new ArgumentException($"Part {i} has no tokens.", nameof(parts));
            for (int j = 0; j < added.Length; j++, next++)
            {
                (tokens[next], positions[next]) = (added.Span[j], cache.Length + j);
                if (j >= added.Length - wanted)
                    rows.Add((i, j - (added.Length - wanted), next));
            }
        }
        _sequences.Begin([.. parts.Select(part => (part.Cache, part.Tokens.Length))]);
        var context = new MicrobatchContext
        {
            Index = 0,
            Tokens = from_array(tokens).unsqueeze(0).to(Device),
            Positions = from_array(positions).unsqueeze(0).to(Device),
            RopeBase = RopeBase,
        };
        var hidden = RunBlocks(context, tokens.Length);
        _sequences.End();
        GiveLogits(hidden, rows, take);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _sequences.Dispose();
        if (_ownsKernels)
            (_kernels as IDisposable)?.Dispose();
    }

    private int Head => _blocks.Count - 1;

    private bool Holds(int block) => _groups.Pipeline is not { Size: > 1 } pipeline || _groups.StageOf(block) == pipeline.Rank;

    /// <summary>Output of the last transformer block [1, tokens, hidden] where the head is; null on other stages.</summary>
    private Tensor? RunBlocks(MicrobatchContext context, int tokenCount)
    {
        Tensor? x = null;
        for (int number = 0; number < Head; number++)
        {
            if (!Holds(number))
                continue;
            if (number > 0 && !Holds(number - 1))
                x = Receive(number - 1, tokenCount);
            var block = _blocks[number];
            x = Forward(block, x, context);
            if (Holds(number + 1))
                continue;
            var sent = x.contiguous();
            _groups.Pipeline!.Send(TensorBuffer.Of(sent), _groups.StageOf(number + 1), number).Wait();
        }
        return Holds(Head)
            ? Holds(Head - 1)
                ? x
                : Receive(Head - 1, tokenCount)
            : null;
    }

    private Tensor Forward(Block block, Tensor? x, MicrobatchContext context)
    {
        var parameters = _parameters(block);
        if (_direct is null || x is null || block is not TransformerBlock layer || !DirectLayers.Takes(layer, parameters, x))
            return block.Forward(parameters, x, context, _ops);
        _direct.Forward(layer, parameters, x, context);
        return x;
    }

    private Tensor Receive(int from, int tokenCount)
    {
        var received = empty([1, tokenCount, _blocks[Head].Parameters[^1].Shape[1]], Type, Device);
        _groups.Pipeline!.Receive(TensorBuffer.Of(received), _groups.StageOf(from), from).Wait();
        return received;
    }

    private void GiveLogits(Tensor? hidden, List<(int Part, int Index, long Row)> rows, LogitsReader take)
    {
        long vocabulary = _blocks[Head].Parameters[^1].Shape[0];
        foreach (var chunk in rows.Chunk((int)Math.Clamp(LogitsBudget / vocabulary, 1, int.MaxValue)))
        {
            using var scope = NewDisposeScope();
            var host = Logits(hidden, [.. chunk.Select(row => row.Row)], vocabulary).cpu();
            var values = TensorMemory.Elements<float>(host);
            for (int i = 0; i < chunk.Length; i++)
                take(chunk[i].Part, chunk[i].Index, values.Slice((int)(i * vocabulary), (int)vocabulary));
        }
    }

    /// <summary>fp32 [rows, vocabulary] on every rank.</summary>
    private Tensor Logits(Tensor? hidden, long[] rows, long vocabulary)
    {
        var logits = hidden is null
            ? empty([rows.Length, vocabulary], float32, Device)
            : ((HeadBlock)_blocks[Head])
                .Logits(_parameters(_blocks[Head]), hidden.index_select(1, from_array(rows).to(Device)), _ops)
                .view(rows.Length, vocabulary)
                .contiguous();
        if (_groups.Pipeline is { Size: > 1 } pipeline)
            pipeline.Broadcast(TensorBuffer.Of(logits), _groups.StageOf(Head)).Wait();
        return logits;
    }
}
