using System.Text.Json;
using System.Text.Json.Serialization;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>Rotary positions, as <c>rope_parameters</c> (and <c>rope_scaling</c> before it) write them.</summary>
/// <param name="RopeType"><c>default</c>, <c>linear</c>, <c>dynamic</c>, <c>yarn</c> or <c>llama3</c>.</param>
/// <param name="RopeTheta">Base of the angles.</param>
/// <param name="Factor">By what the context is stretched; null: by 1.</param>
public sealed record LlamaRope(string RopeType, double RopeTheta, double? Factor = null)
{
    /// <summary>Context before the stretching, in tokens (yarn, llama3).</summary>
    public int? OriginalMaxPositionEmbeddings { get; init; }

    /// <summary>Turns within that context above which a pair is kept (yarn).</summary>
    public double? BetaFast { get; init; }

    /// <summary>Turns within that context below which a pair is divided by the factor (yarn).</summary>
    public double? BetaSlow { get; init; }

    /// <summary>By what cosines and sines are multiplied (yarn); null: 0.1·ln(factor) + 1.</summary>
    public double? AttentionFactor { get; init; }

    /// <summary>Turns within that context below which a pair is divided by the factor (llama3).</summary>
    public double? LowFreqFactor { get; init; }

    /// <summary>Turns within that context above which a pair is kept (llama3).</summary>
    public double? HighFreqFactor { get; init; }
}

/// <summary><c>config.json</c> of a Llama at Hugging Face, as far as the weights need it.</summary>
public sealed record LlamaConfig
{
    /// <summary>Family of InternLM2, whose queries, keys and values lie in one matrix.</summary>
    public const string InternLm2 = "internlm2";

    /// <summary>Family of the first InternLM: a Llama with biases in attention and as many key as query heads.</summary>
    public const string InternLm = "internlm";

    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "config.json";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>Classes of the transformers library that can hold the model.</summary>
    public IReadOnlyList<string> Architectures { get; init; } = ["LlamaForCausalLM"];

    /// <summary>Family of the model: <c>llama</c>, <see cref="InternLm2"/> or <see cref="InternLm"/>.</summary>
    public string ModelType { get; init; } = "llama";

    /// <summary>Activation of the gated feed-forward.</summary>
    public string HiddenAct { get; init; } = "silu";

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the feed-forward.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Transformer blocks.</summary>
    public required int NumHiddenLayers { get; init; }

    /// <summary>Query heads.</summary>
    public required int NumAttentionHeads { get; init; }

    /// <summary>Key and value heads; null: as many as query heads.</summary>
    public int? NumKeyValueHeads { get; init; }

    /// <summary>Width of a head; null: hidden size / query heads.</summary>
    public int? HeadDim { get; init; }

    /// <summary>Width of a head, resolved.</summary>
    [JsonIgnore]
    public int HeadWidth => HeadDim ?? HiddenSize / NumAttentionHeads;

    /// <summary>Key and value heads, resolved.</summary>
    [JsonIgnore]
    public int KvHeads => NumKeyValueHeads ?? NumAttentionHeads;

    /// <summary>Longest context, in tokens.</summary>
    public required int MaxPositionEmbeddings { get; init; }

    /// <summary>Entries of the vocabulary.</summary>
    public required int VocabSize { get; init; }

    /// <summary>What is added to the mean square before its root is taken.</summary>
    public double RmsNormEps { get; init; } = 1e-6;

    /// <summary>Base and stretching of rotary positions; written twice, as older and newer readers look for them.</summary>
    public LlamaRope RopeParameters { get; init; } = new("default", 10_000);

    /// <summary>The base, where readers before version 5 look for it.</summary>
    public double RopeTheta => RopeParameters.RopeTheta;

    /// <summary>The stretching, where readers before version 5 look for it.</summary>
    public IReadOnlyDictionary<string, object>? RopeScaling
    {
        get
        {
            if (RopeParameters.Factor is null)
                return null;
            var written = JsonSerializer
                .SerializeToElement(RopeParameters, Json)
                .EnumerateObject()
                .Where(property => property.Name != "rope_theta")
                .ToDictionary(property => property.Name, property => (object)property.Value);
            written["type"] = RopeParameters.RopeType;
            return written;
        }
    }

    /// <summary>Biases of all four attention projections.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Whether the feed-forward has biases.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Whether the output projection is the embedding's matrix.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Ids of the tokenizer's control tokens; null: it has none.</summary>
    public int? BosTokenId { get; init; }

    /// <inheritdoc cref="BosTokenId"/>
    public int? EosTokenId { get; init; }

    /// <inheritdoc cref="BosTokenId"/>
    public int? PadTokenId { get; init; }

    /// <summary><c>float32</c>, <c>bfloat16</c> or <c>float16</c>.</summary>
    public string? TorchDtype { get; init; }

    /// <summary>
    /// Reads <c>config.json</c> of a folder. Every key is accounted for: taken over, without influence on the weights, or refused.
    /// Throws <see cref="CheckpointException"/> with the key.
    /// </summary>
    /// <param name="folder">Folder of the model.</param>
    /// <param name="ignored">Keys that the user says do not matter.</param>
    public static LlamaConfig Read(string folder, IReadOnlyCollection<string>? ignored = null) =>
        LlamaConfigReader.Read(Path.Combine(folder, FileName), ignored ?? []);

    /// <summary>Writes <c>config.json</c> to a folder.</summary>
    public void Write(string folder)
    {
        var written = JsonSerializer.SerializeToNode(this, Json)!.AsObject();
        if (ModelType != "llama")
            InternLmConfig.Translate(written, this);
        File.WriteAllText(Path.Combine(folder, FileName), written.ToJsonString(Json) + "\n");
    }
}
