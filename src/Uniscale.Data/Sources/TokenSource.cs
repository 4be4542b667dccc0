using System.IO.Hashing;
using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>Shards under one name and domain, read as one stream of tokens; or, for planning, only a count of tokens.</summary>
public sealed class TokenSource : IDisposable
{
    private readonly TokenShard[] _shards;
    private readonly long[] _starts;
    private readonly Lazy<string> _fingerprint;
    private readonly int _vocabulary;

    private TokenSource(string name, string domain, TokenShard[] shards, long virtualTokens, int vocabulary)
    {
        _vocabulary = vocabulary;
        Name = name;
        Domain = domain;
        _shards = shards;
        _starts = new long[shards.Length + 1];
        for (int i = 0; i < shards.Length; i++)
            _starts[i + 1] = _starts[i] + shards[i].TokenCount;
        IsVirtual = shards.Length == 0;
        TokenCount = IsVirtual ? virtualTokens : _starts[^1];
        _fingerprint = new Lazy<string>(Digest);
        Packs = PacksOf(name, shards);
    }

    /// <summary>Name of the source.</summary>
    public string Name { get; }

    /// <summary>The domain that it is of.</summary>
    public string Domain { get; }

    /// <summary>Tokens of all shards.</summary>
    public long TokenCount { get; }

    /// <summary>What the packs of the source hold and how many tokens each has; null: the source is plain text.</summary>
    public (PackKind Kind, int Tokens)? Packs { get; }

    /// <summary>
    /// Tokens of the stream that sequences are cut from. The last token of a stream is a target only; a pack needs none behind it, so the
    /// stream of packs has a
    /// token more than the shards.
    /// </summary>
    public long StreamTokens => TokenCount + (Packs is null ? 0 : 1);

    /// <summary>True where only the count of tokens is known; such a source can be planned with, not read.</summary>
    public bool IsVirtual { get; }

    /// <summary>Its shards, in the order of the configuration.</summary>
    public IReadOnlyList<TokenShard> Shards => _shards;

    /// <summary>Digest of the shards in their order.</summary>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>Opens the shards that a configuration names.</summary>
    /// <param name="section">The source.</param>
    /// <param name="vocabulary">Number of token values of the model that reads it; a token outside is refused when it is read.</param>
    /// <exception cref="UserErrorException">No shard matches, a shard is damaged, or the source has neither shards nor virtual
    /// tokens.</exception>
    public static TokenSource Open(SourceSection section, int vocabulary = int.MaxValue)
    {
        string name = section.Name.Length > 0 ? section.Name : section.Domain;
        string domain = section.Domain.Length > 0 ? section.Domain : name;
        if (section.Shards.Count == 0 && section.VirtualTokens <= 0)
            throw new UserErrorException(
                $"The data source '{name}' names no shards; give it `shards: [PREFIX]`, or `virtual_tokens` to plan without data."
            );
        var shards = new List<TokenShard>();
        try
        {
            foreach (string prefix in ShardPaths.Expand(section.Shards, name))
                shards.Add(TokenShard.Open(prefix));
            shards.ForEach(shard => shard.CheckRecorded(whole: false));
        }
        catch
        {
            shards.ForEach(shard => shard.Dispose());
            throw;
        }
        return new TokenSource(name, domain, [.. shards], section.VirtualTokens, vocabulary);
    }

    /// <summary>Copies tokens that begin at a position of the source, across shards where need be.</summary>
    /// <exception cref="UserErrorException">A shard was changed since it was opened, or holds a token outside the vocabulary.</exception>
    public void Read(long position, Span<int> tokens)
    {
        if (ReachesBeyond(position, tokens.Length))
        {
            tokens[^1] = 0;
            tokens = tokens[..^1];
        }
        while (!tokens.IsEmpty)
        {
            int shard = ShardAt(position);
            int count = (int)Math.Min(tokens.Length, _starts[shard + 1] - position);
            _shards[shard].Read(position - _starts[shard], tokens[..count]);
            int wrong = tokens[..count].IndexOfAnyExceptInRange(0, _vocabulary - 1);
            if (wrong >= 0)
                throw _shards[shard].OutsideVocabulary(position - _starts[shard] + wrong, tokens[wrong], _vocabulary);
            tokens = tokens[count..];
            position += count;
        }
    }

    /// <summary>
    /// Numbers the documents of the tokens that begin at a position: <paramref name="first"/> for the first, one more at each boundary.
    /// </summary>
    /// <returns>The number of the last token's document.</returns>
    public int ReadDocuments(long position, Span<int> documents, int first)
    {
        if (ReachesBeyond(position, documents.Length))
        {
            documents[^1] = documents.Length > 1 ? ReadDocuments(position, documents[..^1], first) + 1 : first;
            return documents[^1];
        }
        int number = first;
        for (int done = 0; done < documents.Length;)
        {
            (var shard, long local) = Locate(position + done);
            long document = shard.DocumentAt(local),
                end = shard.DocumentStart(document + 1);
            if (end <= local)
                throw shard.Damaged($"lets document {document} end at token {end}, before token {local} that belongs to it");
            int count = (int)Math.Min(documents.Length - done, end - local);
            documents.Slice(done, count).Fill(number);
            done += count;
            if (done < documents.Length)
                number++;
        }
        return number;
    }

    /// <summary>Copies the marks of the tokens that begin at a position; where the source is plain text, all are learned.</summary>
    /// <exception cref="UserErrorException">The marks were changed since they were opened.</exception>
    public void ReadMarks(long position, Span<TokenMarks> marks)
    {
        if (Packs is null)
        {
            marks.Fill(TokenMarks.Learned);
            return;
        }
        if (ReachesBeyond(position, marks.Length))
        {
            marks[^1] = TokenMarks.None;
            marks = marks[..^1];
        }
        while (!marks.IsEmpty)
        {
            int shard = ShardAt(position);
            int count = (int)Math.Min(marks.Length, _starts[shard + 1] - position);
            _shards[shard].Marks!.Read(position - _starts[shard], marks[..count]);
            marks = marks[count..];
            position += count;
        }
    }

    /// <summary>The shard of a token, and its position there.</summary>
    public (TokenShard Shard, long Position) Locate(long position)
    {
        int shard = ShardAt(position);
        return (_shards[shard], position - _starts[shard]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var shard in _shards)
            shard.Dispose();
    }

    private int ShardAt(long position)
    {
        if (IsVirtual)
            throw new UserErrorException(
                $"The data source '{Name}' has virtual tokens only: it can be planned with, not trained on. Give it shards."
            );
        if ((ulong)position >= (ulong)TokenCount)
            throw new ArgumentOutOfRangeException(nameof(position), $"Token {position} is not one of the {TokenCount} of source {Name}.");
        int found = Array.BinarySearch(_starts, position);
        if (found < 0)
            return ~found - 1;
        while (_starts[found + 1] == position)
            found++; // empty shards begin where the next one does
        return found;
    }

    private bool ReachesBeyond(long position, int count) => Packs is not null && position + count == TokenCount + 1;

    private static (PackKind, int)? PacksOf(string name, TokenShard[] shards)
    {
        if (shards.FirstOrDefault(shard => shard.Marks is not null) is not { Marks: { } marks })
            return null;
        foreach (var shard in shards)
        {
            if (shard.Marks is null)
                throw new UserErrorException(
                    $"The data source '{name}' has packs and plain text: {shard.Prefix} has no marks; make two sources of it."
                );
            if (shard.Marks.Kind != marks.Kind || shard.Marks.PackTokens != marks.PackTokens)
                throw new UserErrorException(
                    $"The data source '{name}' has packs of two kinds: {shards[0].Prefix} has {Describe(marks)}, {shard.Prefix} has {Describe(shard.Marks)}; make two sources of it."
                );
        }
        return (marks.Kind, marks.PackTokens);

        static string Describe(ShardMarks marks) => $"{marks.Kind.ToString().ToLowerInvariant()} in {marks.PackTokens} tokens";
    }

    private string Digest()
    {
        var hash = new XxHash128();
        if (IsVirtual)
            hash.Append(Encoding.UTF8.GetBytes($"virtual {TokenCount}"));
        foreach (var shard in _shards)
            hash.Append(Encoding.UTF8.GetBytes(shard.Fingerprint));
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }
}
