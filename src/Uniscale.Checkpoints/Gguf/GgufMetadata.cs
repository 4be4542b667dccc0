using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Configuration;

namespace Uniscale.Checkpoints.Gguf;

/// <summary>What a GGUF file says of a model of Llama's kind and of its tokenizer, by the keys that llama.cpp reads.</summary>
internal static class GgufMetadata
{
    /// <summary>Sizes and positions.</summary>
    /// <param name="file">Receives the keys.</param>
    /// <param name="name">Name of the model.</param>
    /// <param name="describe">Makes what is told of it.</param>
    /// <param name="model">Its shape.</param>
    /// <param name="vocabulary">Entries of its vocabulary.</param>
    /// <param name="type">Type of its matrices.</param>
    /// <exception cref="UserErrorException">llama.cpp has no such model.</exception>
    public static void AddModel(GgufWriter file, string name, Func<string> describe, ModelSection model, long vocabulary, GgufType type)
    {
        // The rules of a Llama stand there.
        var config = LlamaMapping.ToTheirs(model, vocabulary, isBf16: false, default);
        file.Add("general.architecture", "llama");
        file.Add("general.name", name);
        file.Add("general.description", describe());
        file.Add(
            "general.file_type",
            type switch
            {
                GgufType.F32 => 0u,
                GgufType.F16 => 1u,
                _ => 32u,
            }
        );
        file.Add("llama.vocab_size", (uint)vocabulary);
        file.Add("llama.context_length", (uint)config.MaxPositionEmbeddings);
        file.Add("llama.embedding_length", (uint)config.HiddenSize);
        file.Add("llama.block_count", (uint)config.NumHiddenLayers);
        file.Add("llama.feed_forward_length", (uint)config.IntermediateSize);
        file.Add("llama.attention.head_count", (uint)config.NumAttentionHeads);
        file.Add("llama.attention.head_count_kv", (uint)model.KvHeadCount);
        file.Add("llama.attention.key_length", (uint)model.HeadWidth);
        file.Add("llama.attention.value_length", (uint)model.HeadWidth);
        file.Add("llama.attention.layer_norm_rms_epsilon", (float)config.RmsNormEps);
        file.Add("llama.rope.dimension_count", (uint)model.HeadWidth);
        AddRope(file, config.RopeParameters);
    }

    /// <summary>The pieces of a SentencePiece model of byte pairs.</summary>
    /// <param name="file">Receives the keys.</param>
    /// <param name="path">The model.</param>
    /// <param name="vocabulary">Entries of the vocabulary; those beyond the pieces are unused.</param>
    /// <param name="special">Its special tokens.</param>
    /// <exception cref="CheckpointException">llama.cpp cuts text in another way than this model does.</exception>
    public static void AddTokenizer(GgufWriter file, string path, long vocabulary, SpecialTokens special)
    {
        var model = SentencePieceModel.Read(path);
        string? other =
            model.Algorithm != SentencePieceAlgorithm.Bpe ? $"it is a {model.Algorithm} model"
            : model.Rewriting.Length > 0 ? "it rewrites characters"
            : model.RemovesSpaces ? "it removes spaces"
            : model.SpaceIsSuffix || !model.EscapesSpaces ? "it marks spaces otherwise"
            : null;
        if (other is not null)
            throw new CheckpointException(
                $"{path} cuts text in a way that llama.cpp does not ({other}); export the weights alone with --no-tokenizer"
            );
        int unused = (int)vocabulary - model.Pieces.Count;
        file.Add("tokenizer.ggml.model", "llama");
        file.Add("tokenizer.ggml.pre", "default");
        file.Add(
            "tokenizer.ggml.tokens",
            [.. model.Pieces.Select(piece => piece.Text), .. Enumerable.Range(0, unused).Select(i => $"[PAD{i}]")]
        );
        file.Add(
            "tokenizer.ggml.scores",
            (IReadOnlyCollection<float>)[.. model.Pieces.Select(piece => piece.Score), .. Enumerable.Repeat(-1e4f, unused)]
        );
        file.Add(
            "tokenizer.ggml.token_type",
            (IReadOnlyCollection<int>)
                [.. model.Pieces.Select(piece => (int)piece.Kind), .. Enumerable.Repeat((int)SentencePieceKind.Unused, unused)]
        );
        AddId("bos", special.Begin);
        AddId("eos", special.End);
        AddId("padding", special.Padding);
        AddId("unknown", model.Pieces.FindIndex(piece => piece.Kind == SentencePieceKind.Unknown));
        // As in training: texts get nothing in front, and nothing behind.
        file.Add("tokenizer.ggml.add_bos_token", false);
        file.Add("tokenizer.ggml.add_eos_token", false);
        file.Add("tokenizer.ggml.add_space_prefix", model.AddsSpace);

        void AddId(string name, int? id)
        {
            if (id >= 0)
                file.Add($"tokenizer.ggml.{name}_token_id", (uint)id.Value);
        }
    }

    private static void AddRope(GgufWriter file, LlamaRope rope)
    {
        file.Add("llama.rope.freq_base", (float)rope.RopeTheta);
        switch (rope.RopeType)
        {
            case "linear":
                file.Add("llama.rope.scaling.type", "linear");
                file.Add("llama.rope.scaling.factor", (float)rope.Factor!.Value);
                break;
            case "yarn" when rope is { AttentionFactor: null, BetaFast: 32, BetaSlow: 1 }:
                file.Add("llama.rope.scaling.type", "yarn");
                file.Add("llama.rope.scaling.factor", (float)rope.Factor!.Value);
                file.Add("llama.rope.scaling.original_context_length", (uint)rope.OriginalMaxPositionEmbeddings!.Value);
                break;
            case "yarn":
                throw new UserErrorException(
                    "GGUF has YaRN with 32 fast and 1 slow turns and its own attention factor alone; this model has others (model.rope_fast_turns, rope_slow_turns, rope_attention_factor), so it cannot be exported in that format."
                );
            case "dynamic":
                throw new UserErrorException(
                    "GGUF has no dynamic NTK (model.rope_scaling: dynamic); export the model with --format llama."
                );
            default:
                // Llama 3.1's angles lie in a tensor of their own (GgufExport).
                break;
        }
    }
}
