using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Memory;
using Uniscale.Collectives;
using Uniscale.Configuration;

namespace Uniscale.Checkpoints.Gguf;

/// <summary>
/// Writes a model of Llama's kind as one GGUF file, as llama.cpp reads it. Its rotary pairs are neighbours (2i, 2i + 1), ours are halves of
/// a head, so the rows of query and key projections are
/// put in that order. Norms, biases and factors of angles are F32.
/// </summary>
public static partial class GgufExport
{
    private const string RopeFactors = "rope_freqs.weight",
        Master = "optimizer.master/";
    private const long BlockBytes = 16 << 20;

    private static readonly (string Ours, string Theirs)[] Whole =
    [
        ("embedding.tokens", "token_embd"),
        ("head.norm", "output_norm"),
        ("head.output", "output"),
    ];

    private static readonly (string Ours, string Theirs)[] InLayer =
    [
        ("attention_norm", "attn_norm"),
        ("attention.wq", "attn_q"),
        ("attention.wk", "attn_k"),
        ("attention.wv", "attn_v"),
        ("attention.wo", "attn_output"),
        ("ffn_norm", "ffn_norm"),
        ("ffn.w1", "ffn_gate"),
        ("ffn.w3", "ffn_up"),
        ("ffn.w2", "ffn_down"),
    ];

    /// <summary>Writes the file; memory is bounded by a block. Returns the number of tensors.</summary>
    /// <param name="reader">A checkpoint of any layout.</param>
    /// <param name="model">Shape of its model.</param>
    /// <param name="name">Name of the model.</param>
    /// <param name="describe">Makes what is told of it, in Markdown.</param>
    /// <param name="path">The file to be made.</param>
    /// <param name="type">Type of matrices; null: that of the checkpoint's weights.</param>
    /// <param name="tokenizer">SentencePiece model with its special tokens; null: none.</param>
    /// <param name="angles">Angle per position of each rotary pair as the base has it and as the model stretches it, where those are
    /// written.</param>
    public static int Write(
        CheckpointReader reader,
        ModelSection model,
        string name,
        Func<string> describe,
        string path,
        GgufType? type,
        (string Path, SpecialTokens Special)? tokenizer,
        IReadOnlyList<(double Plain, double Stretched)> angles
    )
    {
        var weights = reader.Manifest.Tensors.Where(tensor => NameOf(tensor.Name) is not null).ToList();
        var embedding =
            weights.Find(tensor => tensor.Name == "embedding.tokens.weight")
            ?? throw new CheckpointException($"{reader.Folder} holds no weights of a model");
        var matrices = type ?? (embedding.Type == ElementType.BFloat16 ? GgufType.BF16 : GgufType.F32);
        var file = new GgufWriter();
        GgufMetadata.AddModel(file, name, describe, model, embedding.Shape[0], matrices);
        if (tokenizer is { } text)
            GgufMetadata.AddTokenizer(file, text.Path, embedding.Shape[0], text.Special);
        bool hasFactors = model.RopeScaling == RopeScalingKind.Llama3;
        if (hasFactors)
            file.Add(new GgufTensor(RopeFactors, [angles.Count], GgufType.F32));
        foreach (var tensor in weights)
            file.Add(new GgufTensor(NameOf(tensor.Name)!, tensor.Shape, tensor.Shape.Length > 1 ? matrices : GgufType.F32));
        string unfinished = path + ".unfinished";
        using (var handle = File.OpenHandle(unfinished, FileMode.Create, FileAccess.Write))
        {
            byte[] header = file.Header();
            RandomAccess.Write(handle, header, 0);
            long position = header.Length;
            if (hasFactors)
            {
                // llama.cpp divides the base's angles by them.
                float[] factors = [.. angles.Select(angle => (float)(angle.Plain / angle.Stretched))];
                RandomAccess.Write(handle, MemoryMarshal.AsBytes<float>(factors), position);
                position += GgufWriter.Aligned(file.Tensors[0].SizeBytes);
            }
            foreach (var (tensor, entry) in weights.Zip(file.Tensors.Skip(hasFactors ? 1 : 0)))
            {
                Write(reader, tensor, entry.Type, handle, position, HeadWidthOf(tensor.Name, model));
                position += GgufWriter.Aligned(entry.SizeBytes);
            }
            RandomAccess.SetLength(handle, position);
            RandomAccess.FlushToDisk(handle);
        }
        File.Move(unfinished, path);
        return file.Tensors.Count;
    }

    /// <summary>The name in GGUF; null for what is no weight.</summary>
    internal static string? NameOf(string ours)
    {
        if (OurName().Match(ours) is not { Success: true } match)
            return null;
        var (layer, module, kind) = (match.Groups["layer"].Value, match.Groups["module"].Value, match.Groups["kind"].Value);
        string? theirs = (layer.Length > 0 ? InLayer : Whole).FirstOrDefault(pair => pair.Ours == module).Theirs;
        return theirs is null ? null
            : layer.Length > 0 ? $"blk.{layer}.{theirs}.{kind}"
            : $"{theirs}.{kind}";
    }

    /// <summary>Row of a head in GGUF's order of pairs, by its row in ours.</summary>
    internal static int Interleaved(int row, int headWidth) => row % (headWidth / 2) * 2 + row / (headWidth / 2);

    private static int? HeadWidthOf(string name, ModelSection model) =>
        name.Contains(".attention.wq.", StringComparison.Ordinal) || name.Contains(".attention.wk.", StringComparison.Ordinal)
            ? model.HeadWidth
            : null;

    private static void Write(
        CheckpointReader reader,
        TensorRecord tensor,
        GgufType type,
        Microsoft.Win32.SafeHandles.SafeFileHandle file,
        long position,
        int? headWidth
    )
    {
        // bf16 runs keep fp32 masters beside the parameters; those are the weights.
        var source = reader.Manifest.Tensors.FirstOrDefault(other => other.Name == Master + tensor.Name) ?? tensor;
        long rowElements = tensor.Shape.Skip(1).Aggregate(1L, (a, b) => a * b);
        int rowBytes = (int)(rowElements * GgufTensor.SizeOf(type));
        long row = 0;
        byte[] converted = [];
        TensorBlocks.ForEach(
            reader,
            source,
            BlockBytes,
            (address, bytes) =>
            {
                float[] values = Values(source.Type, PageMemory.Span(address, bytes));
                if (converted.Length != values.Length * GgufTensor.SizeOf(type))
                    converted = new byte[values.Length * GgufTensor.SizeOf(type)];
                Convert(values, type, converted);
                long rows = values.Length / rowElements;
                if (headWidth is not { } width)
                    RandomAccess.Write(file, converted, position + row * rowBytes);
                else
                {
                    for (int i = 0; i < rows; i++)
                    {
                        long head = (row + i) / width,
                            place = head * width + Interleaved((int)((row + i) % width), width);
                        RandomAccess.Write(file, converted.AsSpan(i * rowBytes, rowBytes), position + place * rowBytes);
                    }
                }
                row += rows;
            }
        );
    }

    private static float[] Values(ElementType type, Span<byte> bytes) =>
        type switch
        {
            ElementType.Float32 => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            ElementType.BFloat16 => Widened(MemoryMarshal.Cast<byte, ushort>(bytes), bits => BitConverter.Int32BitsToSingle(bits << 16)),
            ElementType.Float16 => Widened(MemoryMarshal.Cast<byte, Half>(bytes), value => (float)value),
            _ => throw new CheckpointException($"weights of type {type} cannot be written as GGUF"),
        };

    private static float[] Widened<T>(ReadOnlySpan<T> values, Func<T, float> widen)
    {
        float[] wide = new float[values.Length];
        for (int i = 0; i < wide.Length; i++)
            wide[i] = widen(values[i]);
        return wide;
    }

    /// <summary>The upper half, rounded to nearest, ties to even.</summary>
    private static ushort Narrowed(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }

    private static void Convert(float[] values, GgufType type, byte[] bytes)
    {
        switch (type)
        {
            case GgufType.F32:
                MemoryMarshal.AsBytes<float>(values).CopyTo(bytes);
                break;
            case GgufType.F16:
                var halves = MemoryMarshal.Cast<byte, Half>(bytes.AsSpan());
                for (int i = 0; i < values.Length; i++)
                {
                    halves[i] = (Half)values[i];
                    if (Half.IsInfinity(halves[i]) && float.IsFinite(values[i]))
                        throw new CheckpointException(
                            string.Create(
                                CultureInfo.InvariantCulture,
                                $"a weight of {values[i]} is beyond the range of F16; export with --type bf16 or f32"
                            )
                        );
                }
                break;
            default:
                var upper = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan());
                for (int i = 0; i < values.Length; i++)
                    upper[i] = Narrowed(values[i]);
                break;
        }
    }

    [GeneratedRegex(@"^(layers\.(?<layer>\d+)\.)?(?<module>[\w.]+)\.(?<kind>weight|bias)$")]
    private static partial Regex OurName();
}
