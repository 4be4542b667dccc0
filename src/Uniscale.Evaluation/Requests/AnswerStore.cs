using System.Globalization;

namespace Uniscale.Evaluation.Requests;

/// <summary>
/// Answered requests on disk: each is written at once, a line of key and value, and found again when an evaluation is taken up. Safe for use by several threads; a
/// folder is one process's at a time.
/// </summary>
public sealed class AnswerStore : IDisposable
{
    private readonly Dictionary<string, double> _answers = new(StringComparer.Ordinal);
    private readonly FileStream _file;
    private readonly Lock _lock = new();

    /// <param name="path">The file; made where it is not there.</param>
    public AnswerStore(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        try
        {
            _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException failure)
        {
            throw new Configuration.UserErrorException($"{path} is in use: another evaluation writes there; wait for it, or name another folder with --out.", failure);
        }
        long whole = 0;
        using var reader = new StreamReader(_file, leaveOpen: true);
        for (string text = reader.ReadToEnd(); whole < text.Length;)
        {
            // A line that a kill cut short is not an answer.
            int end = text.IndexOf('\n', (int)whole);
            if (end < 0) break;
            string[] fields = text[(int)whole..end].Split('\t');
            if (fields.Length == 2 && double.TryParse(fields[1], CultureInfo.InvariantCulture, out double value)) _answers[fields[0]] = value;
            whole = end + 1;
        }
        _file.SetLength(whole);
        _file.Position = whole;
    }

    /// <summary>The answer of a request, where it is there.</summary>
    public bool TryGet(string key, out double value)
    {
        lock (_lock) return _answers.TryGetValue(key, out value);
    }

    /// <summary>Keeps an answer.</summary>
    public void Add(string key, double value)
    {
        lock (_lock)
        {
            if (!_answers.TryAdd(key, value)) return;
            _file.Write(System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{key}\t{value:R}\n")));
            _file.Flush();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
