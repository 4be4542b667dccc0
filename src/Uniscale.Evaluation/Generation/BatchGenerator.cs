using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Inference;

namespace Uniscale.Evaluation.Generation;

/// <summary>
/// Continues many texts together, each by its own rules and seed. A text that ends makes room for the next one; beginnings that prompts
/// have in common are
/// computed once. What is generated for a request depends on the request alone, not on the batch or the order. Where the model is spread
/// over
/// ranks, all of them call it alike.
/// </summary>
/// <param name="model">The model; not owned.</param>
/// <param name="batch">Texts that are generated at a time.</param>
/// <param name="tokenizer">The model's tokenizer, not owned: what has no text (a padded vocabulary's rest, control tokens) is never drawn
/// then, but for
/// tokens of stop sequences; null: results have tokens only, and every token may be drawn.</param>
public sealed class BatchGenerator(InferenceModel model, int batch = 32, Tokenizer? tokenizer = null)
{
    private readonly bool[] _drawable = tokenizer is null ? [] : DrawableTokens(tokenizer, model.Vocabulary);

    /// <summary>The results, in the order of the requests.</summary>
    /// <exception cref="UserErrorException">A request is not possible with this model.</exception>
    public IReadOnlyList<Continuation> Run(IReadOnlyList<GenerationRequest> requests)
    {
        var results = new Continuation[requests.Count];
        foreach (var drawn in Stream(requests))
            if (drawn.Result is { } result)
                results[drawn.Request] = result;
        return results;
    }

    /// <summary>Every token as it is drawn.</summary>
    /// <exception cref="UserErrorException">A request is not possible with this model.</exception>
    public IEnumerable<GenerationEvent> Stream(IReadOnlyList<GenerationRequest> requests)
    {
        if (batch < 1)
            throw new UserErrorException($"--batch is {batch}; give 1 or more.");
        for (int i = 0; i < requests.Count; i++)
            Check(requests[i], i);
        return Generate(requests);
    }

    private IEnumerable<GenerationEvent> Generate(IReadOnlyList<GenerationRequest> requests)
    {
        var waiting = new LinkedList<int>(Enumerable.Range(0, requests.Count));
        var running = new List<GeneratingSequence>();
        GeneratingSequence? ended = null; // kept until the next one ends: the prompt of another may begin like it
        try
        {
            while (running.Count > 0 || waiting.Count > 0)
            {
                Start(requests, waiting, running, ended);
                model.Read([.. running.Select(sequence => sequence.Next())], (part, _, logits) => running[part].Draw(logits));
                foreach (var sequence in running)
                    yield return new GenerationEvent(sequence.Number, sequence.NewText, sequence.Result);
                foreach (var sequence in running.Where(sequence => sequence.Result is not null))
                {
                    ended?.Dispose();
                    ended = sequence;
                }
                running.RemoveAll(sequence => sequence.Result is not null);
            }
        }
        finally
        {
            ended?.Dispose();
            foreach (var sequence in running)
                sequence.Dispose();
        }
    }

    /// <summary>Fills the batch. A prompt whose beginning another one is about to compute waits for it.</summary>
    private void Start(
        IReadOnlyList<GenerationRequest> requests,
        LinkedList<int> waiting,
        List<GeneratingSequence> running,
        GeneratingSequence? ended
    )
    {
        for (var node = waiting.First; node is not null && running.Count < batch;)
        {
            var (number, next) = (node.Value, node.Next);
            var prompt = requests[number].Prompt;
            var (donor, shared) = (ended is null ? running : running.Append(ended))
                .Select(sequence => (Sequence: sequence, Shared: sequence.Shares(prompt)))
                .OrderByDescending(pair => pair.Shared)
                .FirstOrDefault();
            if (shared == 0 || donor.Cache.Length >= shared)
            {
                var sequence = new GeneratingSequence(number, requests[number], model, tokenizer, _drawable);
                if (shared > 0 && shared < model.Context)
                    sequence.Cache.CopyFrom(donor.Cache, shared);
                running.Add(sequence);
                waiting.Remove(node);
            }
            node = next;
        }
    }

    private void Check(GenerationRequest request, int number)
    {
        request.Sampling.Check();
        if (request.MaxTokens < 1)
            throw new UserErrorException($"--tokens is {request.MaxTokens}; give 1 or more.");
        if (request.Prompt.Count == 0)
            throw new UserErrorException(
                $"Prompt {number + 1} is empty: give it at least one token, e.g. the one that begins or ends a text."
            );
        if (request.Prompt.Count >= model.Context && !request.Slides)
            throw new UserErrorException(
                $"Prompt {number + 1} has {request.Prompt.Count} tokens, and the model sees {model.Context} with what it writes: shorten the prompt."
            );
        if (request.Prompt.FirstOrDefault(token => (uint)token >= (ulong)model.Vocabulary, -1) is var token and not -1)
            throw new UserErrorException(
                $"Prompt {number + 1} holds token {token}, which the model's vocabulary of {model.Vocabulary} lacks: it is of another tokenizer."
            );
        if (request.StopTexts.Any(string.IsNullOrEmpty))
            throw new UserErrorException("A stop sequence is empty: give --stop a text.");
        if (request.StopTexts.Count > 0 && tokenizer is null)
            throw new ArgumentException("Texts can stop a generation only where there is a tokenizer.", nameof(request));
    }

    /// <summary>Tokens that may be drawn: those with a text, and the end of the document.</summary>
    private static bool[] DrawableTokens(Tokenizer tokenizer, long vocabulary) =>
        [
            .. Enumerable
                .Range(0, (int)Math.Min(tokenizer.Size, vocabulary))
                .Select(id => id == tokenizer.EndId || tokenizer.PieceOf(id).Kind is PieceKind.Normal or PieceKind.Byte),
        ];
}
