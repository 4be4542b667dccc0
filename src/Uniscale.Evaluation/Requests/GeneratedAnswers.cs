using Uniscale.Data;
using Uniscale.Evaluation.Generation;

namespace Uniscale.Evaluation.Requests;

/// <summary>Texts that a model writes as answers, each kept at once and found again when an evaluation is taken up.</summary>
/// <param name="readers">The model; not owned.</param>
/// <param name="tokenizer">The model's tokenizer; not owned.</param>
/// <param name="modelDigest">Names the weights.</param>
/// <param name="answers">Answered requests; not owned.</param>
/// <param name="batch">Texts that a model writes at a time; what is written does not depend on it.</param>
public sealed class GeneratedAnswers(IReaders readers, Tokenizer tokenizer, string modelDigest, AnswerStore answers, int batch = 16)
{
    /// <summary>
    /// The texts for requests, in their order; those that are not answered yet are generated, by each reader a part of them.
    /// </summary>
    /// <param name="requests">What is asked. Neighbours that begin alike are computed together.</param>
    /// <param name="task">Names the task.</param>
    public IReadOnlyList<string> Of(IReadOnlyList<GenerationRequest> requests, string task)
    {
        string[] keys = [.. requests.Select(request => request.Key(modelDigest, task))];
        int[] open = [.. Enumerable.Range(0, keys.Length).DistinctBy(i => keys[i]).Where(i => !answers.TryGetText(keys[i], out _))];
        readers.Share(
            open,
            (model, own) =>
            {
                foreach (var drawn in new BatchGenerator(model, batch, tokenizer).Stream([.. own.Select(i => requests[i])]))
                    if (drawn.Result is { } result)
                        answers.AddText(keys[own[drawn.Request]], result.Text);
            }
        );
        return
        [
            .. keys.Select(key =>
                answers.TryGetText(key, out string? text) ? text : throw new InvalidOperationException("A request has no answer.")
            ),
        ];
    }
}
