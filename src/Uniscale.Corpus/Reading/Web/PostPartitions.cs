namespace Uniscale.Corpus.Reading.Web;

/// <summary>A question or an answer.</summary>
internal sealed record Post(long Question, bool IsAnswer, long Score, long Id, string Date, string Title, string Body);

/// <summary>Posts by question, in bounded memory: a file for each stretch of numbers of questions.</summary>
internal sealed class PostPartitions(string folder) : IDisposable
{
    /// <summary>Numbers of questions in a file: some 60 MB of a large site's texts.</summary>
    private const int NumbersInFile = 1 << 17;

    private const int BufferBytes = 1 << 18;
    private const int MostOpen = 64;

    private readonly SortedDictionary<long, MemoryStream> _held = [];
    private readonly SortedSet<long> _files = [];

    public void Add(Post post)
    {
        long number = post.Question / NumbersInFile;
        if (!_held.TryGetValue(number, out var held))
        {
            if (_held.Count == MostOpen)
                Flush();
            _held[number] = held = new MemoryStream();
        }
        using (var writer = new BinaryWriter(held, System.Text.Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(post.Question);
            writer.Write(post.IsAnswer);
            writer.Write(post.Score);
            writer.Write(post.Id);
            writer.Write(post.Date);
            writer.Write(post.Title);
            writer.Write(post.Body);
        }
        if (held.Length >= BufferBytes)
            Flush(number);
    }

    /// <summary>
    /// Each question with its answers, the highest score first; answers whose question is not there alone. In the order of the questions'
    /// numbers.
    /// </summary>
    public IEnumerable<IReadOnlyList<Post>> ByQuestion()
    {
        Flush();
        foreach (long number in _files)
            foreach (var group in Read(number).GroupBy(post => post.Question).OrderBy(group => group.Key))
                yield return [.. group.OrderBy(post => post.IsAnswer).ThenByDescending(post => post.Score).ThenBy(post => post.Id)];
    }

    public void Dispose()
    {
        if (_files.Count > 0)
            Directory.Delete(folder, recursive: true);
    }

    private IEnumerable<Post> Read(long number)
    {
        using var reader = new BinaryReader(new FileStream(PathOf(number), FileMode.Open, FileAccess.Read, FileShare.Read, BufferBytes));
        while (reader.BaseStream.Position < reader.BaseStream.Length)
            yield return new Post(
                reader.ReadInt64(),
                reader.ReadBoolean(),
                reader.ReadInt64(),
                reader.ReadInt64(),
                reader.ReadString(),
                reader.ReadString(),
                reader.ReadString()
            );
    }

    private void Flush()
    {
        foreach (long number in _held.Keys.ToArray())
            Flush(number);
    }

    private void Flush(long number)
    {
        Directory.CreateDirectory(folder);
        _files.Add(number);
        using var file = new FileStream(PathOf(number), FileMode.Append, FileAccess.Write);
        _held[number].WriteTo(file);
        _held.Remove(number);
    }

    private string PathOf(long number) => Path.Combine(folder, $"{number}.posts");
}
