using System.Diagnostics;
using System.Threading.Channels;
using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Corpus;

/// <summary>
/// Turns a stream of documents into shards: one thread reads, several encode, one writes, in order, so that the shards are the same for any
/// number of workers.
/// Memory is bounded by the batches under way (two a worker).
/// </summary>
public sealed class ShardTokenizer
{
    private readonly Tokenizer _tokenizer;
    private readonly int _workers;
    private readonly double _validation;

    /// <param name="tokenizer">The model; it must have an end-of-text token.</param>
    /// <param name="workers">Threads that encode.</param>
    /// <param name="validation">Share of documents set aside for validation, from 0 to below 1; which ones depends on their text
    /// alone.</param>
    public ShardTokenizer(Tokenizer tokenizer, int workers, double validation = 0)
    {
        if (tokenizer.EndId < 0)
            throw new UserErrorException(
                $"{tokenizer.Path} has no end-of-text token to separate documents with: train a SentencePiece model with one, or name one of a tokenizer.json as eos_token in {TokenizerFiles.ConfigurationName} beside it."
            );
        WorkerCount.Check(workers);
        if (validation is not (>= 0 and < 1))
            throw new UserErrorException($"The share of validation documents is {validation}; it lies between 0 and 1.");
        (_tokenizer, _workers, _validation) = (tokenizer, workers, validation);
    }

    /// <summary>Digests of the shards last written, by .train and .validation.</summary>
    public IReadOnlyDictionary<string, ShardDigests> Digests { get; private set; } = new Dictionary<string, ShardDigests>();

    /// <summary>
    /// Writes PREFIX.train (and PREFIX.validation, where documents were set aside). What an earlier run left under these names is gone
    /// then, a validation shard too
    /// that is made no more: its documents are in the training shard now.
    /// </summary>
    public async Task<TokenizationReport> RunAsync(
        IEnumerable<DocumentPart> documents,
        string prefix,
        CancellationToken cancellation = default
    )
    {
        long started = Stopwatch.GetTimestamp();
        using var failure = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var batches = Channel.CreateBounded<Task<TokenizedBatch>>(
            new BoundedChannelOptions(2 * _workers) { SingleReader = true, SingleWriter = true }
        );
        var reading = Task.Run(() => ReadAsync(documents, batches.Writer, failure.Token), CancellationToken.None);
        using var output = new Output(prefix, _tokenizer.Size);
        try
        {
            await foreach (var batch in batches.Reader.ReadAllAsync(cancellation))
                (await batch).ForEach(output.Write);
        }
        finally
        {
            await failure.CancelAsync();
        }
        long bytes = await reading;
        Digests = output.Complete(prefix);
        return output.Report(bytes, Stopwatch.GetElapsedTime(started));
    }

    private async Task<long> ReadAsync(
        IEnumerable<DocumentPart> documents,
        ChannelWriter<Task<TokenizedBatch>> batches,
        CancellationToken cancellation
    )
    {
        using var slots = new SemaphoreSlim(_workers);
        var running = new List<Task>();
        long bytes = 0;
        async Task Send(TokenizedBatch batch)
        {
            await slots.WaitAsync(cancellation);
            bytes += batch.Bytes;
            var encoding = Task.Run(() => batch.Encode(_tokenizer, _validation), cancellation);
            running.RemoveAll(task => task.IsCompleted);
            running.Add(
                encoding.ContinueWith(
                    _ => slots.Release(),
                    CancellationToken.None,
                    TaskContinuationOptions.ExecuteSynchronously,
                    TaskScheduler.Default
                )
            );
            await batches.WriteAsync(encoding, cancellation);
        }

        try
        {
            var batch = new TokenizedBatch();
            foreach (var part in documents)
            {
                batch.Add(part);
                if (!batch.IsFull)
                    continue;
                await Send(batch);
                batch = new TokenizedBatch();
            }
            await Send(batch);
            batches.Complete();
        }
        catch (Exception error)
        {
            batches.Complete(error);
        }
        await Task.WhenAll(running);
        return bytes;
    }

    /// <summary>The two shards that are being written, and the document that is open.</summary>
    private sealed class Output(string prefix, int vocabulary) : IDisposable
    {
        private readonly ShardWriter _training = new($"{prefix}.train", vocabulary);
        private readonly ShardWriter _validation = new($"{prefix}.validation", vocabulary);
        private ShardWriter? _current;
        private long _documentTokens;
        private long _empty;
        private long _marks;

        public void Write(TokenizedBatch.Part part, ReadOnlyMemory<int> tokens)
        {
            _marks += part.HasSpaceMark ? 1 : 0;
            if (part.IsFirst)
            {
                _current = part.IsValidation ? _validation : _training;
                _documentTokens = 0;
            }
            _documentTokens += tokens.Length;
            if (part.IsLast && _documentTokens == 1)
            {
                _empty++; // nothing but the separator
                return;
            }
            _current!.Append(tokens.Span);
            if (part.IsLast)
                _current.EndDocument();
        }

        public Dictionary<string, ShardDigests> Complete(string prefix)
        {
            if (_training.DocumentCount == 0)
                throw new UserErrorException(
                    $"There are no documents for {prefix}.train: the input is empty, or all of it was set aside for validation."
                );
            // Nothing of an earlier run may stand beside what is new, however this ends.
            TokenizationRecord.Remove(prefix);
            ShardWriter.Remove($"{prefix}.validation");
            var digests = new Dictionary<string, ShardDigests> { [".train"] = _training.Complete() };
            if (_validation.DocumentCount > 0)
                digests[".validation"] = _validation.Complete();
            return digests;
        }

        public TokenizationReport Report(long bytes, TimeSpan elapsed)
        {
            var report = new TokenizationReport(
                _training.DocumentCount,
                _training.TokenCount,
                _validation.DocumentCount,
                _validation.TokenCount,
                bytes,
                _empty,
                elapsed
            );
            return report with { SpaceMarks = _marks };
        }

        public void Dispose()
        {
            _training.Dispose();
            _validation.Dispose();
        }
    }
}
