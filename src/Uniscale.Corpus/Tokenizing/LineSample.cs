using Uniscale.Data;

namespace Uniscale.Corpus;

/// <summary>
/// An even sample of the lines of many documents in bounded memory and one pass: a line is kept while the digest of its number falls below
/// a threshold,
/// and whenever the sample outgrows its bound the threshold is lowered by a sixteenth and what no longer qualifies is dropped, so that it
/// ends nearly full. The same documents give the same sample.
/// </summary>
public sealed class LineSample
{
    /// <summary>Longer lines are cut between characters.</summary>
    public const int MaxLineBytes = 4096;

    private readonly List<(ulong Digest, byte[] Line)> _lines = [];
    private readonly long _maxBytes;
    private ulong _threshold = ulong.MaxValue;
    private ulong _number;

    private LineSample(long maxBytes) => _maxBytes = maxBytes;

    /// <summary>Bytes of the sample.</summary>
    public long Bytes { get; private set; }

    /// <summary>Draws at most <paramref name="maxBytes"/> of lines.</summary>
    public static LineSample Draw(IEnumerable<DocumentPart> documents, long maxBytes)
    {
        var sample = new LineSample(maxBytes);
        foreach (var part in documents)
            sample.AddLines(part.Text.Span);
        return sample;
    }

    /// <summary>Writes one line each.</summary>
    /// <returns>Bytes of the lines.</returns>
    public long WriteTo(string path)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        foreach ((_, byte[] line) in _lines)
        {
            file.Write(line);
            file.WriteByte((byte)'\n');
        }
        return Bytes;
    }

    private void AddLines(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            int end = text.IndexOf((byte)'\n');
            var line = end < 0 ? text : text[..end];
            text = end < 0 ? [] : text[(end + 1)..];
            while (line.Length > MaxLineBytes)
            {
                int cut = MaxLineBytes;
                while (cut > MaxLineBytes - 4 && (line[cut] & 0xC0) == 0x80)
                    cut--;
                Add(line[..cut]);
                line = line[cut..];
            }
            Add(line.TrimEnd("\r \t"u8));
        }
    }

    private void Add(ReadOnlySpan<byte> line)
    {
        ulong digest = Mixing.Mix(_number++);
        if (line.IsEmpty || digest > _threshold || line.Contains((byte)0))
            return;
        _lines.Add((digest, line.ToArray()));
        Bytes += line.Length;
        while (Bytes > _maxBytes)
        {
            _threshold -= _threshold / 16;
            _lines.RemoveAll(kept => kept.Digest > _threshold);
            Bytes = _lines.Sum(kept => (long)kept.Line.Length);
        }
    }
}
