// What the gateway's policies use of the documented `context` (Microsoft, "API Management policy
// expressions"), and the few policies that matter here. tests/support/gateway.py writes the rest of
// the program: the policies' own expressions and their order.
using System;
using System.Collections.Generic;
using System.Linq;
using Newtonsoft.Json.Linq;

public class Body
{
    readonly string text;
    public Body(string text) { this.text = text; }

    public T As<T>(bool preserveContent = false)
    {
        if (typeof(T) == typeof(string)) return (T)(object)text;
        if (typeof(T) == typeof(JObject)) return (T)(object)JObject.Parse(text);
        if (typeof(T) == typeof(JToken)) return (T)(object)JToken.Parse(text);
        if (typeof(T) == typeof(JArray)) return (T)(object)JArray.Parse(text);
        throw new NotSupportedException(typeof(T).Name);
    }
}

public class Headers : Dictionary<string, string[]>
{
    public Headers() : base(StringComparer.OrdinalIgnoreCase) { }
}

public class Jwt { public Dictionary<string, string[]> Claims = new Dictionary<string, string[]>(); }
public class Named { public string Id; }

public class Request
{
    public Body Body;
    public Headers Headers = new Headers();
    public Dictionary<string, string> MatchedParameters = new Dictionary<string, string>();
}

public class Response
{
    public int StatusCode;
    public Body Body;
    public Headers Headers = new Headers();
}

public class Context
{
    public Request Request = new Request();
    public Response Response;
    public Dictionary<string, object> Variables = new Dictionary<string, object>();
    public Named Operation = new Named();
    public Named Subscription;
    public Guid RequestId = Guid.Empty;
    public Dictionary<string, string> NamedValues = new Dictionary<string, string>();
}

public static class Extensions
{
    public static string GetValueOrDefault(this Dictionary<string, string[]> all, string name, string otherwise)
    {
        string[] found;
        return all.TryGetValue(name, out found) ? string.Join(",", found) : otherwise;
    }

    public static string GetValueOrDefault(this Dictionary<string, string> all, string name, string otherwise)
    {
        string found;
        return all.TryGetValue(name, out found) ? found : otherwise;
    }

    public static T GetValueOrDefault<T>(this Dictionary<string, object> all, string name, T otherwise)
    {
        object found;
        return all.TryGetValue(name, out found) ? (T)found : otherwise;
    }
}

public class Answered : Exception { }
public class NoAnswer : Exception { public NoAnswer() : base("the backend gave no answer") { } }

// One call of the gateway: what the policies did to it.
public class Run
{
    public readonly Context Context = new Context();
    public readonly JArray Told = new JArray();
    public readonly Queue<JToken> Answers = new Queue<JToken>();
    public readonly Dictionary<string, string[]> Claims = new Dictionary<string, string[]>();
    public string Sent;
    public int Returned;
    public string Threw;

    public Run(JObject call)
    {
        var text = (string)call["body"];
        Context.Request.Body = text == null ? null : new Body(text);
        Fill(Context.Request.Headers, call["headers"]);
        Context.Request.MatchedParameters["deployment-id"] = "gpt-4.1";
        Context.Operation.Id = (string)call["operation"];
        if ((string)call["subscription"] != null) Context.Subscription = new Named { Id = (string)call["subscription"] };
        Fill(Claims, call["claims"]);
        foreach (var one in ((JObject)call["named"]).Properties()) Context.NamedValues[one.Name] = (string)one.Value;
        foreach (var one in (JArray)call["answers"]) Answers.Enqueue(one);
    }

    static void Fill(Dictionary<string, string[]> into, JToken values)
    {
        if (values == null) return;
        foreach (var one in ((JObject)values).Properties())
            into[one.Name] = one.Value is JArray ? one.Value.Select(v => (string)v).ToArray() : new[] { (string)one.Value };
    }

    public void Forward()
    {
        var answer = Answers.Dequeue() as JObject;
        Context.Response = null;
        if (answer == null) throw new NoAnswer();
        var text = (string)answer["body"];
        Context.Response = new Response { StatusCode = (int)answer["status"], Body = text == null ? null : new Body(text) };
        Fill(Context.Response.Headers, answer["headers"]);
    }

    public void Tell(object text) { Told.Add(JToken.Parse((string)text)); }
    public void Return(int status) { Returned = status; throw new Answered(); }

    public JObject Result()
    {
        var status = Returned != 0 ? Returned : Context.Response == null ? 0 : Context.Response.StatusCode;
        return new JObject(
            new JProperty("threw", Threw), new JProperty("status", status), new JProperty("sent", Sent),
            new JProperty("told", Told), new JProperty("tenant", Context.Variables.GetValueOrDefault<object>("tenant", null)));
    }
}
