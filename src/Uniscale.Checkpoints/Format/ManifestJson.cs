using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Format;

/// <summary>The fields of <c>manifest.json</c> that all formats have.</summary>
internal abstract record StoredManifest
{
    public required int FormatVersion { get; init; }

    public required long Step { get; init; }

    public required long Ordinal { get; init; }

    public required bool Keep { get; init; }

    public required long ConsumedTokens { get; init; }

    public required DateTimeOffset SavedAt { get; init; }

    public required string CodeVersion { get; init; }

    public required int WorldSize { get; init; }

    public required string ConfigurationHash { get; init; }

    public required string DataFingerprint { get; init; }

    public required int ChunkBytes { get; init; }

    public required string ConfigurationYaml { get; init; }

    public required IReadOnlyDictionary<string, string> Extra { get; init; }

    public required IReadOnlyList<FileRecord> Files { get; init; }

    /// <summary>What is wrong, or null. Nothing else may be asked before.</summary>
    public abstract string? Broken();

    /// <summary>What readers see.</summary>
    public abstract CheckpointManifest ToManifest();

    /// <summary>The manifest with what the format adds.</summary>
    protected CheckpointManifest ToManifest(IReadOnlyList<TensorRecord> tensors, IPartMap parts) =>
        new()
        {
            FormatVersion = FormatVersion,
            Step = Step,
            Ordinal = Ordinal,
            Keep = Keep,
            ConsumedTokens = ConsumedTokens,
            SavedAt = SavedAt,
            CodeVersion = CodeVersion,
            WorldSize = WorldSize,
            ConfigurationHash = ConfigurationHash,
            DataFingerprint = DataFingerprint,
            ChunkBytes = ChunkBytes,
            ConfigurationYaml = ConfigurationYaml,
            Extra = Extra,
            Files = Files,
            Tensors = tensors,
            Parts = parts,
        };
}

/// <summary>Reads and writes <c>manifest.json</c>.</summary>
internal static class ManifestJson
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new System.Text.Json.Serialization.JsonStringEnumConverter<ElementType>(allowIntegerValues: false) },
    };

    /// <summary>Reads a manifest of any format.</summary>
    /// <param name="json">The file, whose digest has been proved.</param>
    /// <param name="path">Its path, for messages.</param>
    /// <exception cref="CheckpointDamagedException">It is no manifest.</exception>
    /// <exception cref="CheckpointException">A later version of Uniscale wrote it.</exception>
    public static CheckpointManifest Read(ReadOnlySpan<byte> json, string path)
    {
        try
        {
            StoredManifest? stored = VersionOf(json) switch
            {
                1 => JsonSerializer.Deserialize<StoredManifest1>(json, Json),
                2 => JsonSerializer.Deserialize<StoredManifest2>(json, Json),
                var version => throw new CheckpointException(
                    $"{path} has format {version}; this version of Uniscale reads formats 1 to {CheckpointManifest.CurrentFormat}"
                ),
            };
            if (stored is null)
                throw new JsonException("it is null");
            return stored.Broken() is { } problem
                ? throw new CheckpointDamagedException($"{path} is no manifest: {problem}")
                : stored.ToManifest();
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw new CheckpointDamagedException($"{path} is no manifest ({failure.Message.ReplaceLineEndings(" ")})", failure);
        }
    }

    /// <summary>Writes JSON with one line for each field, file, shard, tiling and tensor.</summary>
    public static byte[] Write(StoredManifest2 manifest)
    {
        var text = new StringBuilder("{\n");
        Field(nameof(manifest.FormatVersion), manifest.FormatVersion);
        Field(nameof(manifest.Step), manifest.Step);
        Field(nameof(manifest.Ordinal), manifest.Ordinal);
        Field(nameof(manifest.Keep), manifest.Keep);
        Field(nameof(manifest.ConsumedTokens), manifest.ConsumedTokens);
        Field(nameof(manifest.SavedAt), manifest.SavedAt);
        Field(nameof(manifest.CodeVersion), manifest.CodeVersion);
        Field(nameof(manifest.WorldSize), manifest.WorldSize);
        Field(nameof(manifest.ConfigurationHash), manifest.ConfigurationHash);
        Field(nameof(manifest.DataFingerprint), manifest.DataFingerprint);
        Field(nameof(manifest.ChunkBytes), manifest.ChunkBytes);
        Field(nameof(manifest.ConfigurationYaml), manifest.ConfigurationYaml);
        Field(nameof(manifest.Extra), manifest.Extra);
        Rows(nameof(manifest.Files), manifest.Files);
        text.Append(",\n");
        Rows(nameof(manifest.Shards), manifest.Shards);
        text.Append(",\n");
        Rows(nameof(manifest.Tilings), manifest.Tilings);
        text.Append(",\n");
        Rows(nameof(manifest.Tensors), manifest.Tensors);
        text.Append("\n}\n");
        return Encoding.UTF8.GetBytes(text.ToString());

        void Name(string name) => text.Append("  \"").Append(JsonNamingPolicy.SnakeCaseLower.ConvertName(name)).Append("\": ");

        void Field<T>(string name, T value)
        {
            Name(name);
            text.Append(JsonSerializer.Serialize(value, Json)).Append(",\n");
        }

        void Rows<T>(string name, IReadOnlyList<T> rows)
        {
            Name(name);
            text.Append('[').AppendJoin(",", rows.Select(row => "\n    " + JsonSerializer.Serialize(row, Json))).Append("\n  ]");
        }
    }

    // The first field of every format; where another program has moved it, it is looked for.
    private static int VersionOf(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1)
                continue;
            bool isVersion = reader.ValueTextEquals("format_version"u8);
            reader.Read();
            if (isVersion)
                return reader.GetInt32();
            reader.Skip();
        }
        throw new JsonException("it has no format_version");
    }
}
