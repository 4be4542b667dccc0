using System.Runtime.InteropServices;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Model;
using Uniscale.Programs;
using static TorchSharp.torch;

namespace Uniscale.Training.Feeding;

/// <summary>Which samples and which places of a sequence a rank sees.</summary>
/// <param name="Specification">The layout.</param>
/// <param name="Data">This rank's place on the data axis.</param>
/// <param name="Places">Places within the sequence that this rank holds, in its order; all without context parallelism.</param>
/// <param name="DocumentMask">Attention, positions and targets stop at the ends of documents.</param>
/// <param name="Link">Where the tensors go.</param>
/// <param name="RopeBase">Base of the rotary angles of the phase.</param>
public sealed record BatchView(
    StepSpecification Specification,
    int Data,
    IReadOnlyList<long> Places,
    bool DocumentMask,
    HostLink Link,
    double RopeBase
)
{
    /// <summary>What the sequences are read for.</summary>
    public ObjectiveKind Objective { get; init; } = ObjectiveKind.Pretrain;

    /// <summary>Whether answers are compared.</summary>
    public bool Compares => Objective.ComparesAnswers();

    /// <summary>Whether this rank counts what is the same on all ranks of the context axis.</summary>
    public bool Counts => Places[0] == 0;
}

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
    public const long Ignored = MicrobatchContext.Ignored;

    private readonly IRolloutSource? _rollouts = source as IRolloutSource;
    private readonly MicrobatchContext?[] _contexts = new MicrobatchContext?[view.Specification.Microbatches];
    private readonly long[] _valid = new long[view.Specification.Microbatches];
    private readonly int[][] _rowDomains = new int[view.Specification.Microbatches][];

    // Where answers are compared, losses are of pairs and not of tokens.
    private readonly long[] _domainTokens = new long[view.Compares ? 0 : source.Domains.Count];
    private ulong _digest;
    private IAnswerLoss? _loss;
    private ITokenLoss? _tokenLoss;

    /// <inheritdoc/>
    public int Count => _contexts.Length;

    /// <inheritdoc/>
    public long ValidTokens
    {
        get
        {
            for (int m = 0; m < Count; m++)
                _contexts[m] ??= Load(m);
            return _valid.Sum();
        }
    }

    /// <summary>What becomes of answers; null: they are only read.</summary>
    public IAnswerLoss? Loss
    {
        get => _loss;
        set
        {
            _loss = value;
            foreach (var context in _contexts)
                if (context?.Answers is { } answers)
                    answers.Loss = value;
        }
    }

    /// <summary>What becomes of tokens of answers that the model has drawn; null: they are only read.</summary>
    public ITokenLoss? TokenLoss
    {
        get => _tokenLoss;
        set
        {
            _tokenLoss = value;
            foreach (var context in _contexts)
                if (context?.Rollouts is { } rollouts)
                    rollouts.Loss = value;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Measures => _loss?.Measures ?? _tokenLoss?.Measures ?? [];

    /// <inheritdoc/>
    public IEnumerable<Tensor> Measured =>
        _contexts.Select(context => context?.Answers?.Measured ?? context?.Rollouts?.Measured).OfType<Tensor>();

    /// <summary>
    /// What the head found at the tokens of microbatches that this rank has read: number of the microbatch, fp32 [rows, places].
    /// </summary>
    public IEnumerable<(int Microbatch, Tensor Found)> Found =>
        _contexts
            .Select((context, number) => (number, context?.Rollouts?.Found))
            .Where(pair => pair.Item2 is not null)
            .Select(pair => (pair.number, pair.Item2!));

    /// <summary>Place among the step's sequences of a row of a microbatch.</summary>
    public int SequenceOf(int microbatch, int row) =>
        (microbatch * view.Specification.Mesh.Data + view.Data) * view.Specification.MicrobatchSize + row;

    /// <inheritdoc/>
    public ulong Digest => view.Counts ? _digest : 0;

    /// <inheritdoc/>
    public int DomainCount => _domainTokens.Length;

    /// <inheritdoc/>
    public IReadOnlyList<int> RowDomains(int microbatch) => _rowDomains[microbatch];

    /// <inheritdoc/>
    public IReadOnlyList<long> DomainTokens => _domainTokens;

    /// <inheritdoc/>
    public MicrobatchContext this[int microbatch] => _contexts[microbatch] ??= Load(microbatch);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var context in _contexts)
        {
            context?.Tokens.Dispose();
            context?.Targets?.Dispose();
            context?.Positions?.Dispose();
            context?.Documents?.Dispose();
            context?.Answers?.Dispose();
            context?.Rollouts?.Dispose();
        }
    }

    private MicrobatchContext Load(int microbatch)
    {
        int rows = view.Specification.MicrobatchSize;
        bool positions = view.DocumentMask || view.Specification.Mesh.Context > 1;
        using var scope = NewDisposeScope();
        var made = new Columns(
            Empty(rows),
            Empty(rows),
            positions ? Empty(rows) : null,
            view.DocumentMask ? Empty(rows) : null,
            view.Places
        );
        int[] tokens = new int[step.Context + 1];
        int[] documents = view.DocumentMask ? new int[step.Context + 1] : [];
        var marks = source.HasMarks ? new TokenMarks[step.Context + 1] : [];
        var answers = view.Compares ? new AnswerRows(view, step.Context) : null;
        var drawn = _rollouts is null ? null : new RolloutRows(_rollouts, step, view);
        long first = step.FirstSample + SequenceOf(microbatch, 0);
        _rowDomains[microbatch] = new int[rows];
        for (int row = 0; row < rows; row++)
        {
            source.Read(step, first + row, tokens, documents);
            _digest = unchecked(_digest + SampleDigest.Of(first + row, tokens));
            if (marks.Length > 0)
                source.ReadMarks(step, first + row, marks);
            long valid = made.Fill(row, tokens, documents, marks);
            answers?.Add(marks, documents);
            drawn?.Add(first + row);
            _valid[microbatch] += answers is null && drawn is null ? valid : 0;
            if (DomainCount == 0)
                continue;
            int domain = _rowDomains[microbatch][row] = source.DomainOf(step, first + row);
            _domainTokens[domain] += valid;
        }
        if (view.Counts)
            _valid[microbatch] += answers?.Comparisons ?? 0;
        _valid[microbatch] += drawn?.Counted ?? 0;
        return new MicrobatchContext
        {
            Index = microbatch,
            Tokens = Give(made.Tokens),
            Targets = Give(made.Targets),
            Positions = made.Positions is { } places ? Give(places) : null,
            Documents = made.Documents is { } numbers ? Give(numbers) : null,
            RopeBase = view.RopeBase,
            Answers = AnswersOf(answers),
            Rollouts = drawn?.ToTokens(_tokenLoss),
            LossScale = 0,
        };
    }

    private AnswerSet? AnswersOf(AnswerRows? rows)
    {
        if (rows is null)
            return null;
        var answers = rows.ToAnswers();
        answers.Loss = _loss;
        return answers;
    }

    private Tensor Empty(int rows) => empty([rows, view.Places.Count], ScalarType.Int64);

    private Tensor Give(Tensor host) => view.Link.Upload(host).DetachFromDisposeScope();

    /// <summary>Tensors of a microbatch in host memory, [rows, places], which are filled row by row.</summary>
    private sealed record Columns(Tensor Tokens, Tensor Targets, Tensor? Positions, Tensor? Documents, IReadOnlyList<long> Places)
    {
        /// <summary>Fills a row from a sequence; returns its targets that take part in the loss.</summary>
        public long Fill(int row, ReadOnlySpan<int> tokens, ReadOnlySpan<int> documents, ReadOnlySpan<TokenMarks> marks)
        {
            Span<long> inputs = Row(Tokens, row),
                targets = Row(Targets, row),
                positions = Row(Positions, row),
                numbers = Row(Documents, row);
            int[] starts = documents.IsEmpty ? [] : Starts(documents);
            long valid = 0;
            for (int i = 0; i < inputs.Length; i++)
            {
                int place = (int)Places[i];
                bool crosses = !documents.IsEmpty && documents[place + 1] != documents[place];
                inputs[i] = Math.Max(0, tokens[place]);
                bool isMasked = !marks.IsEmpty && !marks[place + 1].HasFlag(TokenMarks.Learned);
                targets[i] = crosses || isMasked || tokens[place + 1] < 0 ? Ignored : tokens[place + 1];
                valid += targets[i] == Ignored ? 0 : 1;
                if (!positions.IsEmpty)
                    positions[i] = documents.IsEmpty ? place : place - starts[place];
                if (!numbers.IsEmpty)
                    numbers[i] = documents[place];
            }
            return valid;
        }

        private Span<long> Row(Tensor? tensor, int row) =>
            tensor is null ? [] : MemoryMarshal.Cast<byte, long>(tensor.bytes).Slice(row * Places.Count, Places.Count);

        /// <summary>First place of the document of each place.</summary>
        private static int[] Starts(ReadOnlySpan<int> documents)
        {
            int[] starts = new int[documents.Length];
            for (int i = 1; i < starts.Length; i++)
                starts[i] = documents[i] == documents[i - 1] ? starts[i - 1] : i;
            return starts;
        }
    }
}
