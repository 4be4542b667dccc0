namespace Uniscale.Evaluation.Requests;

/// <summary>How likely is a continuation behind a context?</summary>
/// <param name="Context">Tokens before it, at least one.</param>
/// <param name="Continuation">Its tokens, at least one.</param>
public sealed record LogLikelihoodRequest(int[] Context, int[] Continuation)
{
    /// <summary>Names the request among all: a digest of model, task and tokens.</summary>
    /// <param name="model">Digest of the model.</param>
    /// <param name="task">Digest of the task.</param>
    public string Key(string model, string task) =>
        RequestKey.Of($"{model}/{task}/log-likelihood/{Context.Length}/", Context.Concat(Continuation));
}
