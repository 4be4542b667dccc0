using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Uniscale.Evaluation.Requests;

/// <summary>
/// Answered requests on disk: each is written at once, a line of key and answer (a number, or a text as a JSON string), and found again
/// when an evaluation is
/// taken up. Safe for use by several threads; a folder is one process's at a time. Or in memory alone.
/// </summary>
public sealed class AnswerStore : IDisposable
{
    /// <summary>What the system answers where another process has the file (EWOULDBLOCK).</summary>
    private const int WouldBlock = 11;

    private readonly StringBuilder? _added;
    private readonly Dictionary<string, double> _numbers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _texts = new(StringComparer.Ordinal);
    private readonly FileStream? _file;
    private readonly Lock _lock = new();

    /// <param name="path">The file; made where it is not there.</param>
    public AnswerStore(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        try
        {
            _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException failure) when (failure.HResult == WouldBlock)
        {
            throw new Configuration.UserErrorException(
                $"{path} is in use: another evaluation writes there; wait for it, or name another folder with --out.",
                failure
            );
        }
        long whole = 0;
        using var reader = new StreamReader(_file, leaveOpen: true);
        for (string text = reader.ReadToEnd(); whole < text.Length;)
        {
            // A line that a kill cut short is not an answer.
            int end = text.IndexOf('\n', (int)whole);
            if (end < 0)
                break;
            Take(text[(int)whole..end].Split('\t'));
            whole = end + 1;
        }
        _file.SetLength(whole);
        _file.Position = whole;
    }

    private AnswerStore() => _added = new StringBuilder();

    /// <summary>Answers that live as long as the store.</summary>
    public static AnswerStore InMemory() => new();

    /// <summary>What was added to a store in memory since it was last asked, as lines.</summary>
    internal string TakeAdded()
    {
        lock (_lock)
        {
            string lines = _added!.ToString();
            _added.Clear();
            return lines;
        }
    }

    /// <summary>Takes lines of another store, where they are not there yet.</summary>
    internal void Merge(string lines)
    {
        lock (_lock)
            foreach (string line in lines.Split('\n', StringSplitOptions.RemoveEmptyEntries))
                Take(line.Split('\t'));
    }

    /// <summary>The number that answers a request, where it is there.</summary>
    public bool TryGet(string key, out double value)
    {
        lock (_lock)
            return _numbers.TryGetValue(key, out value);
    }

    /// <summary>The text that answers a request, where it is there.</summary>
    public bool TryGetText(string key, [NotNullWhen(true)] out string? text)
    {
        lock (_lock)
            return _texts.TryGetValue(key, out text);
    }

    /// <summary>Keeps a number.</summary>
    public void Add(string key, double value)
    {
        lock (_lock)
            if (_numbers.TryAdd(key, value))
                Write(string.Create(CultureInfo.InvariantCulture, $"{key}\t{value:R}\n"));
    }

    /// <summary>Keeps a text.</summary>
    public void AddText(string key, string text)
    {
        lock (_lock)
            if (_texts.TryAdd(key, text))
                Write($"{key}\t{JsonSerializer.Serialize(text)}\n");
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private void Take(string[] fields)
    {
        if (fields.Length != 2)
            return;
        if (double.TryParse(fields[1], CultureInfo.InvariantCulture, out double value))
            _numbers[fields[0]] = value;
        else if (fields[1].StartsWith('"'))
            _texts[fields[0]] = JsonSerializer.Deserialize<string>(fields[1])!;
    }

    private void Write(string line)
    {
        _added?.Append(line);
        // What JSON writes of a text is ASCII: it escapes the rest, and tabs and ends of lines with it.
        _file?.Write(Encoding.ASCII.GetBytes(line));
        _file?.Flush();
    }
}
