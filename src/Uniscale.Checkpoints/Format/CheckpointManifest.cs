using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Format;

/// <summary>A data file of a checkpoint.</summary>
/// <param name="Name">File name within the folder.</param>
/// <param name="SizeBytes">Size of the file.</param>
/// <param name="HeaderBytes">Bytes before the first tensor (safetensors length, JSON and padding).</param>
/// <param name="HeaderDigest">Digest of those bytes.</param>
public sealed record FileRecord(string Name, long SizeBytes, long HeaderBytes, string HeaderDigest);

/// <summary>A tensor of a checkpoint.</summary>
/// <param name="Name">Global name.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Shape">Global shape.</param>
public sealed record TensorRecord(string Name, ElementType Type, long[] Shape)
{
    /// <summary>Bytes of the tensor.</summary>
    public long SizeBytes => Box.CountOf(Shape) * Type.SizeBytes();
}

/// <summary>
/// What a checkpoint is: <c>manifest.json</c>. Its digest stands in the commit marker. The digests of the data lie in the data files.
/// </summary>
public sealed record CheckpointManifest
{
    /// <summary>The format that this code writes. Older ones are read.</summary>
    public const int CurrentFormat = 2;

    /// <summary>File name within the folder.</summary>
    public const string FileName = "manifest.json";

    /// <summary>Version of the format, which a reader must know.</summary>
    public required int FormatVersion { get; init; }

    /// <summary>Optimizer steps done.</summary>
    public required long Step { get; init; }

    /// <summary>Number of the save within the run's folder; the newest checkpoint has the highest.</summary>
    public required long Ordinal { get; init; }

    /// <summary>Kept by retention for ever.</summary>
    public required bool Keep { get; init; }

    /// <summary>Tokens fed in the steps done.</summary>
    public required long ConsumedTokens { get; init; }

    /// <summary>When the save began, in UTC.</summary>
    public required DateTimeOffset SavedAt { get; init; }

    /// <summary>Version of the program that saved.</summary>
    public required string CodeVersion { get; init; }

    /// <summary>Ranks that wrote; a reader may have any other number.</summary>
    public required int WorldSize { get; init; }

    /// <summary>SHA-256 of the resolved configuration, in hexadecimal digits.</summary>
    public required string ConfigurationHash { get; init; }

    /// <summary>Fingerprint of the data fed until then and of its order.</summary>
    public required string DataFingerprint { get; init; }

    /// <summary>Bytes that one digest of tensor data covers.</summary>
    public required int ChunkBytes { get; init; }

    /// <summary>The resolved configuration; empty: none was given.</summary>
    public required string ConfigurationYaml { get; init; }

    /// <summary>What other parts of the run stored, by name.</summary>
    public required IReadOnlyDictionary<string, string> Extra { get; init; }

    /// <summary>The files of weights and state, with sizes and digests.</summary>
    public required IReadOnlyList<FileRecord> Files { get; init; }

    /// <summary>All tensors by name, in ordinal order.</summary>
    public required IReadOnlyList<TensorRecord> Tensors { get; init; }

    /// <summary>Where the parts of the tensors lie.</summary>
    internal IPartMap Parts { get; init; } = null!;

    /// <summary>Whether there is state of an optimizer beside the weights; an imported model has none.</summary>
    public bool HoldsOptimizer() => Tensors.Any(tensor => tensor.Name.StartsWith("optimizer.", StringComparison.Ordinal));

    /// <summary>Bytes of all data files.</summary>
    internal long DataBytes => Files.Sum(file => file.SizeBytes);
}
