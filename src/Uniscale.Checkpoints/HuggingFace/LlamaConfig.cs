using System.Text.Json;
using System.Text.Json.Serialization;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>Stretching of rotary positions, as <c>config.json</c> writes it.</summary>
/// <param name="Type"><c>linear</c>, or another that Uniscale does not know.</param>
/// <param name="Factor">Positions are divided by it.</param>
public sealed record LlamaRopeScaling(
    [property: JsonPropertyName("type")] string? Type,
    [property: JsonPropertyName("factor")] double Factor);

/// <summary><c>config.json</c> of a Llama at Hugging Face, as far as the weights need it.</summary>
public sealed record LlamaConfig
{
    public const string FileName = "config.json";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public IReadOnlyList<string> Architectures { get; init; } = ["LlamaForCausalLM"];

    public string ModelType { get; init; } = "llama";

    public string HiddenAct { get; init; } = "silu";

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int NumHiddenLayers { get; init; }

    public required int NumAttentionHeads { get; init; }

    /// <summary>Key and value heads; null: as many as query heads.</summary>
    public int? NumKeyValueHeads { get; init; }

    public int? HeadDim { get; init; }

    public required int MaxPositionEmbeddings { get; init; }

    public required int VocabSize { get; init; }

    public double RmsNormEps { get; init; } = 1e-6;

    public double RopeTheta { get; init; } = 10_000;

    public LlamaRopeScaling? RopeScaling { get; init; }

    /// <summary>Biases of all four attention projections.</summary>
    public bool AttentionBias { get; init; }

    public bool MlpBias { get; init; }

    public bool TieWordEmbeddings { get; init; }

    /// <summary><c>float32</c>, <c>bfloat16</c> or <c>float16</c>.</summary>
    public string? TorchDtype { get; init; }

    /// <summary>Reads <c>config.json</c> of a folder; throws <see cref="CheckpointException"/> where it is not a Llama's.</summary>
    public static LlamaConfig Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            var config = JsonSerializer.Deserialize<LlamaConfig>(File.ReadAllBytes(path), Json)!;
            if (config.ModelType != "llama")
                throw new CheckpointException($"{path} describes a model of type '{config.ModelType}'; Uniscale reads 'llama'");
            return config;
        }
        catch (Exception failure) when (failure is IOException or JsonException)
        {
            throw new CheckpointException($"{path} cannot be read ({failure.Message})", failure);
        }
    }

    /// <summary>Writes <c>config.json</c> to a folder.</summary>
    public void Write(string folder) => File.WriteAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(this, Json) + "\n");
}
