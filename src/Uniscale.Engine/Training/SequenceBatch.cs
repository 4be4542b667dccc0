using TorchSharp;
using Uniscale.Data;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Model;
using Uniscale.Program;
using static TorchSharp.torch;

namespace Uniscale.Engine.Training;

/// <summary>Which samples and which places of a sequence a rank sees.</summary>
/// <param name="Specification">The layout.</param>
/// <param name="Data">This rank's place on the data axis.</param>
/// <param name="Places">Places within the sequence that this rank holds, in its order; all without context parallelism.</param>
/// <param name="DocumentMask">Attention, positions and targets stop at the ends of documents.</param>
/// <param name="Device">Where the tensors go.</param>
/// <param name="RopeBase">Base of the rotary angles of the phase.</param>
public sealed record BatchView(
    StepSpecification Specification, int Data, IReadOnlyList<long> Places, bool DocumentMask, Device Device, double RopeBase);

/// <summary>
/// The microbatches of one step on one rank, read when first asked for. Microbatch m of replica d is made of
/// consecutive samples, replicas side by side, so that the samples of a step are the same under every layout.
/// </summary>
/// <param name="source">The data.</param>
/// <param name="step">The step.</param>
/// <param name="view">This rank's share.</param>
public sealed class SequenceBatch(ISequenceSource source, StepPlan step, BatchView view) : IStepBatch
{
    /// <summary>Target of a token that takes no part in the loss.</summary>
    public const long Ignored = -100;

    private readonly MicrobatchContext?[] _contexts = new MicrobatchContext?[view.Specification.Microbatches];
    private readonly long[] _valid = new long[view.Specification.Microbatches];
    private ulong _digest;

    /// <inheritdoc/>
    public int Count => _contexts.Length;

    /// <inheritdoc/>
    public long ValidTokens
    {
        get
        {
            for (int m = 0; m < Count; m++) _contexts[m] ??= Load(m);
            return _valid.Sum();
        }
    }

    /// <inheritdoc/>
    public ulong Digest => view.Places[0] == 0 ? _digest : 0;

    /// <inheritdoc/>
    public MicrobatchContext this[int microbatch] => _contexts[microbatch] ??= Load(microbatch);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var context in _contexts)
        {
            context?.Tokens.Dispose();
            context?.Targets.Dispose();
            context?.Positions?.Dispose();
            context?.Documents?.Dispose();
        }
    }

    private MicrobatchContext Load(int microbatch)
    {
        int rows = view.Specification.MicrobatchSize, columns = view.Places.Count;
        var rowsOf = new Rows(rows * columns);
        int[] tokens = new int[step.Context + 1];
        int[] documents = view.DocumentMask ? new int[step.Context + 1] : [];
        long first = step.FirstSample + (long)(microbatch * view.Specification.Mesh.Data + view.Data) * rows;
        for (int row = 0; row < rows; row++)
        {
            source.Read(step, first + row, tokens, documents);
            _digest = unchecked(_digest + SampleDigest.Of(first + row, tokens));
            rowsOf.Add(tokens, documents, view.Places);
        }
        _valid[microbatch] = rowsOf.Targets.Count(target => target != Ignored);
        bool positions = view.DocumentMask || view.Specification.Mesh.Context > 1;
        return new MicrobatchContext
        {
            Index = microbatch,
            Tokens = Make(rowsOf.Tokens),
            Targets = Make(rowsOf.Targets),
            Positions = positions ? Make(rowsOf.Positions) : null,
            Documents = view.DocumentMask ? Make(rowsOf.Documents) : null,
            RopeBase = view.RopeBase,
            LossScale = 0,
        };

        Tensor Make(List<long> values)
        {
            var cpu = tensor(values.ToArray(), [rows, columns], ScalarType.Int64).DetachFromDisposeScope();
            if (view.Device.type == DeviceType.CPU) return cpu;
            using (cpu) return cpu.to(view.Device).DetachFromDisposeScope();
        }
    }

    /// <summary>Values of a microbatch, row by row.</summary>
    private sealed class Rows(int capacity)
    {
        public List<long> Tokens { get; } = new(capacity);

        public List<long> Targets { get; } = new(capacity);

        public List<long> Positions { get; } = new(capacity);

        public List<long> Documents { get; } = new(capacity);

        public void Add(ReadOnlySpan<int> tokens, ReadOnlySpan<int> documents, IReadOnlyList<long> places)
        {
            int[] starts = documents.IsEmpty ? [] : Starts(documents);
            foreach (int place in places.Select(place => (int)place))
            {
                bool crosses = !documents.IsEmpty && documents[place + 1] != documents[place];
                Tokens.Add(Math.Max(0, tokens[place]));
                Targets.Add(crosses || tokens[place + 1] < 0 ? Ignored : tokens[place + 1]);
                Positions.Add(documents.IsEmpty ? place : place - starts[place]);
                if (!documents.IsEmpty) Documents.Add(documents[place]);
            }
        }

        /// <summary>First place of the document of each place.</summary>
        private static int[] Starts(ReadOnlySpan<int> documents)
        {
            int[] starts = new int[documents.Length];
            for (int i = 1; i < starts.Length; i++) starts[i] = documents[i] == documents[i - 1] ? starts[i - 1] : i;
            return starts;
        }
    }
}
