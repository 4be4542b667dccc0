using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Safetensors;

/// <summary>A tensor of a safetensors file.</summary>
/// <param name="Name">Its key.</param>
/// <param name="Type">Type as the format writes it, e.g. <c>BF16</c>.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Start">First byte within the file.</param>
/// <param name="SizeBytes">Bytes of the tensor.</param>
public sealed record SafeTensorsEntry(string Name, string Type, long[] Shape, long Start, long SizeBytes)
{
    /// <summary>The type as the engine knows it; throws <see cref="CheckpointException"/> for one that it does not.</summary>
    public ElementType ElementType =>
        SafeTensorsHeader.ElementTypeOf(Type)
        ?? throw new CheckpointException($"tensor '{Name}' has type {Type}, which Uniscale does not read");
}

/// <summary>
/// The header of a safetensors file: a 64-bit length, JSON of that length (names, types, shapes, ranges), then the data without holes.
/// </summary>
public sealed class SafeTensorsHeader
{
    /// <summary>The longest header that readers of the format accept.</summary>
    public const long LimitBytes = 100_000_000;

    private const string MetadataKey = "__metadata__";

    private static readonly (string Name, int Bytes, ElementType? Type)[] Types =
    [
        ("F32", 4, ElementType.Float32),
        ("BF16", 2, ElementType.BFloat16),
        ("F16", 2, ElementType.Float16),
        ("F64", 8, ElementType.Float64),
        ("I64", 8, ElementType.Int64),
        ("I32", 4, ElementType.Int32),
        ("U8", 1, ElementType.UInt8),
        ("BOOL", 1, null),
        ("I8", 1, null),
        ("F8_E4M3", 1, null),
        ("F8_E5M2", 1, null),
        ("F8_E8M0", 1, null),
        ("I16", 2, null),
        ("U16", 2, null),
        ("U32", 4, null),
        ("U64", 8, null),
    ];

    private SafeTensorsHeader(IReadOnlyList<SafeTensorsEntry> entries, IReadOnlyDictionary<string, string> metadata, long sizeBytes)
    {
        Entries = entries;
        Metadata = metadata;
        SizeBytes = sizeBytes;
    }

    /// <summary>Tensors in the order of their data.</summary>
    public IReadOnlyList<SafeTensorsEntry> Entries { get; }

    /// <summary>Texts by name (<c>__metadata__</c>).</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Bytes before the first tensor.</summary>
    public long SizeBytes { get; }

    /// <summary>Name of a type in the format.</summary>
    public static string TypeName(ElementType type) => Types.First(row => row.Type == type).Name;

    internal static ElementType? ElementTypeOf(string name) => Types.FirstOrDefault(row => row.Name == name).Type;

    /// <summary>Makes the bytes of a header for tensors that follow one another; its length is padded with spaces.</summary>
    /// <param name="tensors">Key, type and shape of each tensor in the order of the data.</param>
    /// <param name="metadata">Free text by key.</param>
    /// <param name="alignment">The data begins at a multiple of this power of two.</param>
    public static byte[] Build(
        IEnumerable<(string Name, ElementType Type, long[] Shape)> tensors,
        IReadOnlyDictionary<string, string> metadata,
        int alignment = 8
    )
    {
        using var json = new MemoryStream();
        json.Write(new byte[8]);
        using (var writer = new Utf8JsonWriter(json, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            if (metadata.Count > 0)
            {
                writer.WriteStartObject(MetadataKey);
                foreach (var (key, value) in metadata)
                    writer.WriteString(key, value);
                writer.WriteEndObject();
            }
            long position = 0;
            foreach (var (name, type, shape) in tensors)
                WriteEntry(writer, name, type, shape, ref position);
            writer.WriteEndObject();
        }
        while (json.Length % alignment != 0)
            json.WriteByte((byte)' ');
        byte[] bytes = json.ToArray();
        if (bytes.Length - 8 > LimitBytes)
            throw new CheckpointException($"a safetensors header of {bytes.Length} bytes is over the format's limit of {LimitBytes}");
        BinaryPrimitives.WriteInt64LittleEndian(bytes, bytes.Length - 8);
        return bytes;
    }

    private static void WriteEntry(Utf8JsonWriter writer, string name, ElementType type, long[] shape, ref long position)
    {
        writer.WriteStartObject(name);
        writer.WriteString("dtype", TypeName(type));
        WriteNumbers(writer, "shape", shape);
        long end = position + Format.Box.CountOf(shape) * type.SizeBytes();
        WriteNumbers(writer, "data_offsets", [position, end]);
        writer.WriteEndObject();
        position = end;
    }

    private static void WriteNumbers(Utf8JsonWriter writer, string name, long[] numbers)
    {
        writer.WriteStartArray(name);
        foreach (long number in numbers)
            writer.WriteNumberValue(number);
        writer.WriteEndArray();
    }

    /// <summary>
    /// Reads the header of a file and proves it: length within bounds, every range the size of its shape, ranges that neither overlap
    /// nor leave holes and end with the file. Throws <see cref="CheckpointDamagedException"/> with the file's name otherwise.
    /// </summary>
    public static SafeTensorsHeader Read(Stream stream, string file)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (stream.ReadAtLeast(prefix, 8, throwOnEndOfStream: false) < 8)
            throw Malformed(file, "it is shorter than 8 bytes");
        long length = BinaryPrimitives.ReadInt64LittleEndian(prefix);
        if (length is < 2 or > LimitBytes)
            throw Malformed(file, $"its header claims {(ulong)length} bytes (limit {LimitBytes})");
        if (length > stream.Length - 8)
            throw Malformed(file, "its header is longer than the file");
        byte[] json = new byte[length];
        stream.ReadExactly(json);
        try
        {
            return Parse(json, stream.Length, file);
        }
        catch (Exception failure)
            when (failure is JsonException or InvalidOperationException or FormatException or OverflowException or KeyNotFoundException)
        {
            throw Malformed(file, $"its header is not what the format asks for ({failure.Message})");
        }
    }

    private static SafeTensorsHeader Parse(byte[] json, long fileBytes, string file)
    {
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
        long start = 8L + json.Length;
        var metadata = new Dictionary<string, string>();
        var entries = new List<SafeTensorsEntry>();
        foreach (var property in document.RootElement.EnumerateObject())
        {
            if (property.Name == MetadataKey)
            {
                foreach (var pair in property.Value.EnumerateObject())
                    metadata[pair.Name] = pair.Value.GetString() ?? "";
            }
            else
            {
                entries.Add(ParseEntry(property, start, file));
            }
        }
        entries.Sort((a, b) => (a.Start, a.SizeBytes).CompareTo((b.Start, b.SizeBytes)));
        long end = start;
        foreach (var entry in entries)
        {
            if (entry.Start != end)
                throw Malformed(
                    file,
                    $"the data of tensor '{entry.Name}' {(entry.Start < end ? "overlaps its neighbour's" : "begins after a hole")}"
                );
            end += entry.SizeBytes;
        }
        if (end != fileBytes)
            throw Malformed(file, $"its tensors end at byte {end}, the file at {fileBytes}");
        return new SafeTensorsHeader(entries, metadata, start);
    }

    private static SafeTensorsEntry ParseEntry(JsonProperty property, long dataStart, string file)
    {
        string type = property.Value.GetProperty("dtype").GetString() ?? "";
        long[] shape = property.Value.GetProperty("shape").EnumerateArray().Select(value => value.GetInt64()).ToArray();
        long[] range = property.Value.GetProperty("data_offsets").EnumerateArray().Select(value => value.GetInt64()).ToArray();
        int elementBytes = Types.FirstOrDefault(row => row.Name == type).Bytes;
        if (elementBytes == 0)
            throw Malformed(file, $"tensor '{property.Name}' has the unknown type '{type}'");
        if (
            range.Length != 2
            || range[0] < 0
            || range[1] < range[0]
            || shape.Any(extent => extent < 0)
            || checked(Format.Box.CountOf(shape) * elementBytes) != range[1] - range[0]
        )
        {
            throw Malformed(file, $"the range of tensor '{property.Name}' is not the size of its shape");
        }
        return new SafeTensorsEntry(property.Name, type, shape, checked(dataStart + range[0]), range[1] - range[0]);
    }

    private static CheckpointDamagedException Malformed(string file, string what) => new($"{file} is not a valid safetensors file: {what}");
}
