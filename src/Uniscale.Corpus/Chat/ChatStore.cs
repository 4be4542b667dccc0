using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Corpus.Chat;

/// <summary>
/// Writes samples as shards of packs, two for each domain: DOMAIN.train and DOMAIN.validation. A pack holds whole samples, each a document
/// of its own, and padding;
/// answers that are compared are neighbours in one pack. Memory is bounded: samples are packed a batch at a time.
/// </summary>
public sealed class ChatStore : IDisposable
{
    /// <summary>Tokens that are packed together: the more, the less padding.</summary>
    private const long BatchTokens = 16 << 20;

    private readonly string _directory;
    private readonly ChatOptions _options;
    private readonly Tokenizer _tokenizer;
    private readonly SortedDictionary<string, Domain> _domains = new(StringComparer.Ordinal);

    /// <param name="directory">Where the shards go; made by the first sample.</param>
    /// <param name="options">How chats become packs.</param>
    /// <param name="tokenizer">The vocabulary; not owned.</param>
    public ChatStore(string directory, ChatOptions options, Tokenizer tokenizer)
    {
        options.Check();
        (_directory, _options, _tokenizer) = (directory, options, tokenizer);
    }

    /// <summary>What became of each domain's chats.</summary>
    public IReadOnlyDictionary<string, ChatReport> Reports => _domains.ToDictionary(domain => domain.Key, domain => domain.Value.Report);

    /// <summary>Adds a sample, or counts why there is none.</summary>
    public void Add(TokenizedSample sample)
    {
        if (!_domains.TryGetValue(sample.Domain, out var domain))
            _domains[sample.Domain] = domain = new Domain(Path.Combine(_directory, sample.Domain), _options, _tokenizer);
        domain.Add(sample);
    }

    /// <summary>Writes what is left and gives the shards their names.</summary>
    /// <exception cref="UserErrorException">There is nothing to train on.</exception>
    public void Complete()
    {
        if (_domains.Values.All(domain => domain.Report.Samples == 0))
        {
            var reasons = _domains.Values.SelectMany(domain => domain.Report.LeftOut).GroupBy(entry => entry.Key, entry => entry.Value);
            string why = string.Join(", ", reasons.Select(group => $"{group.Sum()} with {group.Key}"));
            throw new UserErrorException(
                $"No record gives a sample to train on{(why.Length > 0 ? $" ({why})" : ": the files are empty")}; {_options.Remedy}."
            );
        }
        Directory.CreateDirectory(_directory);
        foreach (var domain in _domains.Values.Where(domain => domain.Report.Samples + domain.Report.ValidationSamples > 0))
            domain.Complete();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var domain in _domains.Values)
            domain.Dispose();
    }

    private sealed class Domain(string prefix, ChatOptions options, Tokenizer tokenizer) : IDisposable
    {
        private WorkLock? _lock;
        private readonly PackedShard _training = new($"{prefix}.train", options, tokenizer);
        private readonly PackedShard _validation = new($"{prefix}.validation", options, tokenizer);

        public ChatReport Report { get; } = new() { PackTokens = options.Context };

        public void Add(TokenizedSample sample)
        {
            Report.Truncated += sample.Truncated;
            if (sample.Reason is { } reason)
            {
                Report.Leave(reason);
                return;
            }
            _lock ??= WorkLock.Of(prefix);
            bool isValidation =
                XxHash3.HashToUInt64(MemoryMarshal.AsBytes<int>(sample.Chats[0].Tokens)) < options.Validation * ulong.MaxValue;
            (isValidation ? _validation : _training).Add(sample.Chats);
            Report.Samples += isValidation ? 0 : 1;
            Report.ValidationSamples += isValidation ? 1 : 0;
            Report.Tokens += sample.Chats.Sum(chat => chat.Tokens.Length);
            Report.LearnedTokens += sample.Chats.Sum(chat => chat.Marks.Count(mark => mark.HasFlag(TokenMarks.Learned)));
        }

        public void Complete()
        {
            // Nothing of an earlier run may stand beside what is new, however this ends.
            TokenizationRecord.Remove(prefix);
            ShardWriter.Remove($"{prefix}.train");
            ShardWriter.Remove($"{prefix}.validation");
            var digests = new Dictionary<string, ShardDigests>();
            if (Report.Samples > 0)
                digests[".train"] = _training.Complete();
            if (Report.ValidationSamples > 0)
                digests[".validation"] = _validation.Complete();
            Report.Packs = _training.Packs + _validation.Packs;
            var counts = new TokenizationReport(
                Report.Samples,
                _training.Packs * options.Context,
                Report.ValidationSamples,
                _validation.Packs * options.Context,
                0,
                0,
                TimeSpan.Zero
            );
            new TokenizationRecord(prefix, tokenizer, options.Validation, []).Write(counts, digests);
            File.WriteAllText(prefix + ShardPaths.ChatReportEnding, JsonSerializer.Serialize(Report, Indented));
        }

        public void Dispose()
        {
            _training.Dispose();
            _validation.Dispose();
            _lock?.Dispose();
        }
    }

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>One shard of packs; its files are made by the first sample.</summary>
    private sealed class PackedShard(string prefix, ChatOptions options, Tokenizer tokenizer) : IDisposable
    {
        private readonly List<IReadOnlyList<TokenizedChat>> _samples = [];
        private readonly int _padding = tokenizer.PaddingId >= 0 ? tokenizer.PaddingId : Math.Max(0, tokenizer.EndId);
        private ShardWriter? _writer;
        private long _tokens;

        public long Packs { get; private set; }

        private ShardWriter Writer =>
            _writer ??= new ShardWriter(
                prefix,
                tokenizer.Size,
                options.Compares ? PackKind.Comparisons : PackKind.Samples,
                options.Context
            );

        public void Add(IReadOnlyList<TokenizedChat> sample)
        {
            _samples.Add(sample);
            _tokens += sample.Sum(chat => chat.Tokens.Length);
            if (_tokens >= BatchTokens)
                Write();
        }

        public ShardDigests Complete()
        {
            Write();
            return Writer.Complete();
        }

        public void Dispose() => _writer?.Dispose();

        private void Write()
        {
            int[] lengths = [.. _samples.Select(sample => sample.Sum(chat => chat.Tokens.Length))];
            foreach (var pack in BestFit.Pack(lengths, options.Context))
            {
                foreach (var chat in pack.SelectMany(item => _samples[item]))
                {
                    Writer.Append(chat.Tokens, chat.Marks);
                    Writer.EndDocument();
                }
                int rest = options.Context - pack.Sum(item => lengths[item]);
                int[] padding = new int[rest];
                padding.AsSpan().Fill(_padding);
                Writer.Append(padding, new TokenMarks[rest]);
                Writer.EndDocument();
                Packs++;
            }
            _samples.Clear();
            _tokens = 0;
        }
    }
}
