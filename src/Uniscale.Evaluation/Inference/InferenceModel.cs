using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Engine.Decoding;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Kernels.Reference;
using Uniscale.Programs;

namespace Uniscale.Evaluation.Inference;

/// <summary>
/// A model to be read: what evaluation and generation ask. Many sequences are read together, and what comes out for one of them depends on
/// its own tokens
/// alone, to the bit (on the CPU). Where the model is spread over ranks, all of them make the same calls with the same tokens, and all get
/// the
/// logits. Not safe for use by several threads.
/// </summary>
public sealed class InferenceModel : IDisposable
{
    /// <summary>Tokens that two texts must have in common at their beginning for one to copy the other's keys and values.</summary>
    internal const int WorthCopying = 32;

    /// <summary>Tokens that go through the model together at most; longer prompts take several passes.</summary>
    private const int PassTokens = 2048;

    private readonly Decoder _decoder;
    private readonly IDisposable? _owned;

    /// <param name="decoder">Reads tokens; owned.</param>
    /// <param name="vocabulary">Entries of the vocabulary.</param>
    /// <param name="context">Tokens that the model sees at most.</param>
    /// <param name="owned">Disposed with the model.</param>
    internal InferenceModel(Decoder decoder, long vocabulary, int context, IDisposable? owned = null)
    {
        _decoder = decoder;
        _owned = owned;
        Vocabulary = vocabulary;
        Context = context;
    }

    /// <summary>Entries of the vocabulary.</summary>
    public long Vocabulary { get; }

    /// <summary>Tokens that the model sees at most.</summary>
    public int Context { get; }

    /// <summary>Tokens that went through the model so far.</summary>
    public long TokensRead { get; private set; }

    /// <summary>
    /// The model of a run in memory, between two steps. It reads the run's own parameters: dispose it before the next step. Ranks of the
    /// tensor and
    /// pipeline axes read together; those of the data and context axes hold the same model and may each read other sequences. Making and
    /// disposing it is
    /// collective under ZeRO-3.
    /// </summary>
    /// <param name="rank">This rank's part of the model (<c>RankRuntime.Model</c>, after <c>RankRuntime.Settle()</c>); not owned.</param>
    /// <param name="specification">Its layout (<c>RankRuntime.Specification</c>).</param>
    /// <param name="shape">The model as it is now (<c>RunConfiguration.ModelAt</c>): its context and rotary base are those of the
    /// phase.</param>
    public static InferenceModel Of(RankState rank, StepSpecification specification, ModelSection shape)
    {
        var gathered = new GatheredParameters(rank);
        long vocabulary = specification.Model.Vocabulary;
        var blocks = Transformer.Blocks(shape, vocabulary);
        var states = rank.Blocks.Values.ToDictionary(state => blocks[state.Number], state => state.Parameters);
        var stages = StagePartition.Of(specification);
        var groups = new DecodingGroups
        {
            Tensor = Several(rank.Groups.Tensor),
            Pipeline = Several(rank.Groups.Pipeline),
            StageOf = stages.StageOf,
        };
        var kernels = rank.Link.Device.type == TorchSharp.DeviceType.CPU ? null : TorchKernels.Instance;
        var decoder = new Decoder(blocks, block => states[block], groups, kernels)
        {
            Type = rank.ActivationType,
            Device = rank.Link.Device,
        };
        return new InferenceModel(decoder, vocabulary, shape.Context, gathered);
    }

    /// <summary>A sequence of which nothing is read yet; the caller disposes it.</summary>
    public KeyValueCache NewSequence() => new(Context);

    /// <summary>Reads new tokens of sequences, and gives the logits that are wanted. What is read must fit the context.</summary>
    public void Read(IReadOnlyList<SequencePart> parts, LogitsReader take)
    {
        var pass = new List<SequencePart>();
        var numbers = new List<(int Part, int Skipped)>();
        int room = PassTokens;
        for (int i = 0; i < parts.Count; i++)
        {
            var (cache, tokens, wanted) = parts[i];
            for (int first = 0; first < tokens.Length;)
            {
                int count = Math.Min(room, tokens.Length - first),
                    after = tokens.Length - first - count;
                // Of the wanted tokens, the last ones of the part, those that lie in this piece.
                int inside = Math.Clamp(wanted - after, 0, count);
                pass.Add(new SequencePart(cache, tokens.Slice(first, count), inside));
                numbers.Add((i, Math.Max(0, wanted - after - inside)));
                first += count;
                if ((room -= count) == 0)
                    Run();
            }
        }
        if (pass.Count > 0)
            Run();

        void Run()
        {
            TokensRead += PassTokens - room;
            _decoder.Read(pass, (part, index, logits) => take(numbers[part].Part, numbers[part].Skipped + index, logits));
            pass.Clear();
            numbers.Clear();
            room = PassTokens;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _decoder.Dispose();
        _owned?.Dispose();
    }

    private static IProcessGroup? Several(IProcessGroup group) => group.Size > 1 ? group : null;
}
