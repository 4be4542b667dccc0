using System.Text.Json;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>
/// Reads <c>config.json</c> key by key. A key that is not understood may say that the model computes something else, so it is refused;
/// those that only
/// speak of training, generation and bookkeeping are passed over.
/// </summary>
internal sealed class LlamaConfigReader
{
    private const long LongestBytes = 4 << 20;

    // What every model's configuration may carry and no weight depends on.
    private static readonly HashSet<string> WithoutInfluence =
    [
        "_attn_implementation_autoset",
        "_name_or_path",
        "architectures",
        "attn_implementation",
        "bad_words_ids",
        "begin_suppress_tokens",
        "bos_token_id",
        "chunk_size_feed_forward",
        "decoder_start_token_id",
        "diversity_penalty",
        "do_sample",
        "dtype",
        "early_stopping",
        "encoder_no_repeat_ngram_size",
        "eos_token_id",
        "exponential_decay_length_penalty",
        "finetuning_task",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "id2label",
        "initializer_range",
        "label2id",
        "length_penalty",
        "max_length",
        "max_new_tokens",
        "min_length",
        "no_repeat_ngram_size",
        "num_beam_groups",
        "num_beams",
        "num_return_sequences",
        "output_attentions",
        "output_hidden_states",
        "output_scores",
        "pad_token_id",
        "prefix",
        "problem_type",
        "remove_invalid_values",
        "repetition_penalty",
        "return_dict",
        "return_dict_in_generate",
        "sep_token_id",
        "suppress_tokens",
        "task_specific_params",
        "temperature",
        "tf_legacy_loss",
        "tokenizer_class",
        "top_k",
        "top_p",
        "torch_dtype",
        "torchscript",
        "transformers_version",
        "typical_p",
        "use_bfloat16",
        "use_cache",
    ];

    // Keys that change what the model computes unless they have this value.
    private static readonly Dictionary<string, Func<JsonElement, bool>> Harmless = new()
    {
        ["add_cross_attention"] = IsOff,
        ["attention_dropout"] = IsZero,
        ["cross_attention_hidden_size"] = IsOff,
        ["hidden_dropout"] = IsZero,
        ["is_decoder"] = IsFlag,
        ["is_encoder_decoder"] = IsOff,
        ["layer_types"] = value =>
            value.ValueKind == JsonValueKind.Null
            || (
                value.ValueKind == JsonValueKind.Array
                && value.EnumerateArray().All(kind => kind is { ValueKind: JsonValueKind.String } && kind.ValueEquals("full_attention"))
            ),
        ["partial_rotary_factor"] = IsOne,
        ["pretraining_tp"] = IsOne,
        ["pruned_heads"] = value =>
            value.ValueKind == JsonValueKind.Null || (value.ValueKind == JsonValueKind.Object && !value.EnumerateObject().Any()),
        ["sliding_window"] = IsOff,
        ["tie_encoder_decoder"] = IsOff,
        ["use_sliding_window"] = IsOff,
    };

    private readonly string _path;
    private readonly JsonElement _root;
    private readonly HashSet<string> _left;

    private LlamaConfigReader(string path, JsonElement root, IReadOnlyCollection<string> ignored)
    {
        this._path = path;
        this._root = root;
        _left = [.. root.EnumerateObject().Select(property => property.Name).Except(ignored)];
    }

    public static LlamaConfig Read(string path, IReadOnlyCollection<string> ignored)
    {
        try
        {
            using var stream = File.OpenRead(path);
            if (stream.Length > LongestBytes)
                throw new CheckpointException($"{path} has {stream.Length} bytes; a configuration has at most {LongestBytes}");
            using var document = JsonDocument.Parse(stream, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new LlamaConfigReader(path, document.RootElement, ignored).Read()
                : throw new CheckpointException($"{path} is no JSON object");
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            // The second is what a text gives that is not UTF-8.
            throw new CheckpointException($"{path} is not JSON ({failure.Message.ReplaceLineEndings(" ").TrimEnd('.')})", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new CheckpointException($"{path} cannot be read ({failure.Message.TrimEnd('.')})", failure);
        }
    }

    private LlamaConfig Read()
    {
        string modelType = Text("model_type") ?? throw Missing("model_type");
        if (modelType is not ("llama" or LlamaConfig.InternLm2 or LlamaConfig.InternLm))
            throw Refused("model_type", $"is '{modelType}'; Uniscale reads 'llama', 'internlm2' and 'internlm'");
        // Those two name the place of their own code, and have a key for the biases of attention.
        bool? bias = modelType == "llama" ? null : Flag("bias");
        if (modelType != "llama")
            _left.Remove("auto_map");
        string activation = Text("hidden_act") ?? "silu";
        if (activation is not ("silu" or "swish"))
            throw Refused("hidden_act", $"is '{activation}'; Uniscale's Llama has silu");
        int longest = Count("max_position_embeddings") ?? throw Missing("max_position_embeddings");
        var config = new LlamaConfig
        {
            ModelType = modelType,
            HiddenSize = Count("hidden_size") ?? throw Missing("hidden_size"),
            IntermediateSize = Count("intermediate_size") ?? throw Missing("intermediate_size"),
            NumHiddenLayers = Count("num_hidden_layers") ?? throw Missing("num_hidden_layers"),
            NumAttentionHeads = Count("num_attention_heads") ?? throw Missing("num_attention_heads"),
            NumKeyValueHeads = Count("num_key_value_heads"),
            HeadDim = Count("head_dim"),
            MaxPositionEmbeddings = longest,
            VocabSize = Count("vocab_size") ?? throw Missing("vocab_size"),
            RmsNormEps = Number("rms_norm_eps") ?? 1e-6,
            RopeParameters = Rope(longest),
            AttentionBias = bias ?? Flag("attention_bias") ?? modelType == LlamaConfig.InternLm,
            MlpBias = Flag("mlp_bias") ?? false,
            TieWordEmbeddings = Flag("tie_word_embeddings") ?? false,
            TorchDtype =
                _root.TryGetProperty("torch_dtype", out var type) && type.ValueKind == JsonValueKind.String ? type.GetString() : null,
        };
        if (config.HeadDim is null && config.HiddenSize % config.NumAttentionHeads != 0)
            throw Refused("num_attention_heads", $"is {config.NumAttentionHeads}, which does not divide hidden_size ({config.HiddenSize})");
        AccountForTheRest();
        return config;
    }

    private void AccountForTheRest()
    {
        foreach (string? key in _left.Order(StringComparer.Ordinal))
        {
            if (WithoutInfluence.Contains(key))
                continue;
            var value = _root.GetProperty(key);
            if (!Harmless.TryGetValue(key, out var isHarmless))
                throw Refused(key, "is not known to Uniscale and may change the model; if it does not, import with --ignore-key " + key);
            if (!isHarmless(value))
                throw Refused(key, $"is {Excerpt(value)}, which Uniscale's Llama does not have");
        }
    }

    private LlamaRope Rope(int longest)
    {
        var reader = new LlamaRopeReader(Refused);
        if (Number("rope_theta") is { } alone)
            reader.TakeBase("rope_theta", alone);
        foreach (string section in (string[])["rope_parameters", "rope_scaling"])
        {
            if (Take(section) is not { } element)
                continue;
            if (element.ValueKind != JsonValueKind.Object)
                throw Refused(section, $"is {Excerpt(element)}, but must be an object");
            reader.Take(section, element);
        }
        if (Take("rotary") is { } rotary)
            TakeRotary(reader, rotary);
        return reader.Read(longest);
    }

    /// <summary>InternLM's own section: a base, and a kind, "origin" or "dynamic".</summary>
    private void TakeRotary(LlamaRopeReader reader, JsonElement rotary)
    {
        if (rotary.ValueKind != JsonValueKind.Object)
            throw Refused("rotary", $"is {Excerpt(rotary)}, but must be an object");
        bool dynamic = false;
        double? factor = null;
        foreach (var property in rotary.EnumerateObject())
        {
            string key = $"rotary.{property.Name}";
            switch (property.Name)
            {
                case "base":
                    reader.TakeBase(key, Number(key, property.Value));
                    break;
                case "type" when property.Value.ValueKind == JsonValueKind.String && property.Value.GetString() is "origin" or "dynamic":
                    dynamic = property.Value.GetString() == "dynamic";
                    break;
                case "scaling_factor":
                    factor = Number(key, property.Value);
                    break;
                default:
                    throw Refused(key, $"is {Excerpt(property.Value)}, which Uniscale's InternLM does not have");
            }
        }
        if (dynamic)
            reader.Take("rotary", JsonSerializer.SerializeToElement(new { rope_type = "dynamic", factor = factor ?? 1 }));
    }

    private JsonElement? Take(string key) =>
        _left.Remove(key) && _root.GetProperty(key) is { ValueKind: not JsonValueKind.Null } value ? value : null;

    private string? Text(string key) =>
        Take(key) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw Wrong(key, value, "a text");

    private bool? Flag(string key) =>
        Take(key) is not { } value ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw Wrong(key, value, "true or false");

    private int? Count(string key) =>
        Take(key) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int count) && count > 0 ? count
        : throw Wrong(key, value, "a whole number of at least 1");

    private double? Number(string key) => Take(key) is { } value ? Number(key, value) : null;

    private double Number(string key, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number) && number > 0
            ? number
            : throw Wrong(key, value, "a number above 0");

    private static bool IsOff(JsonElement value) => value.ValueKind is JsonValueKind.Null or JsonValueKind.False;

    private static bool IsFlag(JsonElement value) => value.ValueKind is JsonValueKind.Null or JsonValueKind.False or JsonValueKind.True;

    private static bool IsOne(JsonElement value) =>
        value.ValueKind == JsonValueKind.Null
        || (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number == 1);

    private static bool IsZero(JsonElement value) =>
        value.ValueKind == JsonValueKind.Null
        || (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number == 0);

    private CheckpointException Missing(string key) => new($"{_path} has no {key}");

    private CheckpointException Wrong(string key, JsonElement value, string expected) =>
        Refused(key, $"is {Excerpt(value)}, but must be {expected}");

    private CheckpointException Refused(string key, string what) => new($"{_path}: {key} {what}");

    private static string Excerpt(JsonElement value)
    {
        string text = value.GetRawText().ReplaceLineEndings(" ");
        return text.Length <= 60 ? text : text[..60] + "…";
    }
}
