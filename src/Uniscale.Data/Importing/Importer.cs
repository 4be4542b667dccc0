using System.Buffers;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Unicode;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>What an import did; every file that was looked at is counted under one of the reasons.</summary>
public sealed class ImportReport
{
    private readonly SortedDictionary<string, long> _left = new(StringComparer.Ordinal);

    /// <summary>Files that gave documents.</summary>
    public long Files { get; internal set; }

    public long Documents { get; internal set; }

    /// <summary>Bytes of text.</summary>
    public long Bytes { get; internal set; }

    /// <summary>Files whose invalid UTF-8 was replaced (U+FFFD) or read as Latin-1.</summary>
    public long Repaired { get; internal set; }

    /// <summary>Files left out, and rows without text, by reason.</summary>
    public IReadOnlyDictionary<string, long> LeftOut => _left;

    internal void Leave(string reason) => _left[reason] = _left.GetValueOrDefault(reason) + 1;
}

/// <summary>Turns raw files and trees into documents of a store: text, HTML and XML documentation, manual pages, source code, JSONL; plain, .gz, .dz or .zst; Parquet.</summary>
public sealed class Importer(DocumentStoreWriter store)
{
    private const int SniffedBytes = 8192;
    private const int MaxFileBytes = DocumentReader.MaxLineBytes;

    private static readonly HashSet<string> Markup = new(StringComparer.OrdinalIgnoreCase) { ".html", ".htm", ".xhtml", ".xhp", ".page", ".docbook", ".dbk", ".xml" };

    private static readonly HashSet<string> Binary = new(StringComparer.OrdinalIgnoreCase)
    {
        ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp", ".pdf", ".ps", ".epub", ".woff", ".woff2", ".ttf", ".otf", ".css", ".map", ".so", ".o", ".a",
        ".pyc", ".mo", ".dat", ".bin", ".exe", ".zip", ".tar", ".xz", ".bz2", ".7z", ".jar", ".class", ".mp3", ".mp4", ".ogg", ".wav", ".index",
    };

    private readonly byte[] _sniffed = new byte[SniffedBytes];

    public ImportReport Report { get; } = new();

    /// <summary>Imports files and whole directories, in the order of their names.</summary>
    /// <exception cref="UserErrorException">A path does not exist.</exception>
    public void Import(IEnumerable<string> paths)
    {
        foreach (string path in paths)
        {
            if (Directory.Exists(path))
                ImportTree(path);
            else if (File.Exists(path))
                ImportFile(path, Path.GetFileName(path));
            else
                throw new UserErrorException($"{path} does not exist; give the files or directories to import.");
        }
    }

    private void ImportTree(string root)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false };
        foreach (string path in Directory.EnumerateFiles(root, "*", options).Order(StringComparer.Ordinal))
        {
            if (File.ResolveLinkTarget(path, returnFinalTarget: false) is not null)
                Report.Leave("symbolic link");
            else
                ImportFile(path, Path.GetRelativePath(root, path));
        }
    }

    private void ImportFile(string path, string name)
    {
        string plain = TextFiles.WithoutCompression(name);
        if (Binary.Contains(Path.GetExtension(plain)))
        {
            Report.Leave("not text, by its name");
            return;
        }
        try
        {
            if (TextFiles.IsJsonLines(name))
                ImportLines(path, name);
            else if (ParquetText.IsParquet(name))
                ImportRows(path, name);
            else
                ImportWhole(path, name, Path.GetExtension(plain));
        }
        catch (InvalidDataException)
        {
            Report.Leave("damaged archive");
        }
    }

    private void ImportLines(string path, string name)
    {
        long number = 0, repaired = Report.Repaired;
        foreach (DocumentPart part in DocumentReader.ReadRepaired(path, line => Encoding.UTF8.GetBytes(Decode(line.Span))))
            Add($"{name}:{++number}", Encoding.UTF8.GetString(part.Text.Span));
        Report.Repaired = Math.Min(Report.Repaired, repaired + 1); // files are counted, not lines
        Report.Files++;
    }

    private void ImportRows(string path, string name)
    {
        long number = 0;
        bool replaced = false;
        foreach (string? text in ParquetText.Read(path))
        {
            number++;
            replaced |= text?.Contains('\uFFFD', StringComparison.Ordinal) == true;
            if (string.IsNullOrWhiteSpace(text))
                Report.Leave("rows without text");
            else
                Add($"{name}:{number}", text);
        }
        Report.Repaired += replaced ? 1 : 0;
        Report.Files++;
    }

    private void ImportWhole(string path, string name, string extension)
    {
        using Stream stream = TextFiles.Open(path);
        int head = stream.ReadAtLeast(_sniffed, _sniffed.Length, throwOnEndOfStream: false);
        if (head == 0)
        {
            Report.Leave("empty");
            return;
        }
        if (_sniffed.AsSpan(0, head).Contains((byte)0))
        {
            Report.Leave("not text, by its bytes");
            return;
        }
        var bytes = new ArrayBufferWriter<byte>(Math.Max(head, 1 << 16));
        bytes.Write(_sniffed.AsSpan(0, head));
        while (stream.Read(bytes.GetSpan(1 << 16)) is > 0 and var read)
        {
            bytes.Advance(read);
            if (bytes.WrittenCount <= MaxFileBytes)
                continue;
            throw new UserErrorException($"{path} has more than {MaxFileBytes >> 20} MiB of text; cut it into documents (JSONL), or tokenize it as a .txt file without importing.");
        }
        string text = Decode(bytes.WrittenSpan);
        if (Markup.Contains(extension))
            text = MarkupText.Extract(text);
        else if (extension.Length == 2 && char.IsAsciiDigit(extension[1]) && ManualText.IsManual(text))
            text = ManualText.Extract(text);
        if (string.IsNullOrWhiteSpace(text))
        {
            Report.Leave("no text");
            return;
        }
        Add(name, text);
        Report.Files++;
    }

    /// <summary>UTF-8; where it is not, Latin-1 if no more than one byte in a hundred is outside ASCII, else UTF-8 with the invalid bytes replaced.</summary>
    private string Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        if (Utf8.IsValid(bytes))
            return Encoding.UTF8.GetString(bytes);
        Report.Repaired++;
        int outside = 0;
        foreach (byte b in bytes)
            outside += b >= 0x80 ? 1 : 0;
        return (outside * 100L <= bytes.Length ? Encoding.Latin1 : Encoding.UTF8).GetString(bytes);
    }

    private void Add(string name, string text)
    {
        text = text.ReplaceLineEndings("\n").Replace("\0", "", StringComparison.Ordinal);
        ulong digest = XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(name), (long)XxHash3.HashToUInt64(System.Runtime.InteropServices.MemoryMarshal.AsBytes(text.AsSpan())));
        store.Add(new StoredDocument(digest.ToString("x16", CultureInfo.InvariantCulture), name, text));
        Report.Documents++;
        Report.Bytes += Encoding.UTF8.GetByteCount(text);
    }
}
