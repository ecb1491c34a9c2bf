-- Refuses a JSON body that names a field which the contract does not have, or one field twice. Envoy's transcoder drops
-- such a field silently: a misspelt clientOrderId would be an order whose retry is a second order. The tables `methods` and
-- `messages` stand above this text; infra/local/known_fields.py renders them from the contract. Whether the rest of the body
-- is good JSON is the transcoder's to say.

local function refusal(message, field)
  return message .. ": " .. string.sub(string.gsub(field, "[^%w_.: -]", "?"), 1, 64)
end

-- Returns the position of the quote that ends the string which begins at `start`.
local function string_end(text, start)
  local position = start + 1
  while true do
    local found = string.find(text, '["\\]', position)
    if not found then return #text end
    if string.byte(text, found) == 34 then return found end
    position = found + 2
  end
end

local function fields_of(parent, root)
  if not parent then return root end
  if parent.array then return parent.fields end
  local kind = parent.fields and parent.fields[parent.key]
  return type(kind) == "string" and messages[kind] or nil
end

-- Returns what is wrong with the names in the text, or nil. `root` holds the names of the outermost object.
local function problem_of(text, root)
  local stack, position = {}, 1
  while true do
    local found = string.find(text, '[{}%[%],"]', position)
    if not found then return nil end
    local sign, top = string.sub(text, found, found), stack[#stack]
    position = found + 1
    if sign == '"' then
      local last = string_end(text, found)
      position = last + 1
      if top and top.named then
        local name = string.sub(text, found + 1, last - 1)
        if top.fields and not top.fields[name] then return refusal("there is no such field", name) end
        if top.seen[name] then return refusal("a field is given twice", name) end
        top.seen[name], top.key, top.named = true, name, false
      end
    elseif sign == "{" then
      stack[#stack + 1] = { fields = fields_of(top, root), seen = {}, named = true }
    elseif sign == "[" then
      stack[#stack + 1] = { fields = fields_of(top, root), array = true }
    elseif sign == "," then
      if top and not top.array then top.named = true end
    else
      stack[#stack] = nil
    end
  end
end

function envoy_on_request(handle)
  local method, path = handle:headers():get(":method"), handle:headers():get(":path")
  path = string.match(path, "^[^?]*")
  for _, known in ipairs(methods) do
    if known.method == method and string.find(path, known.path) then
      local body = handle:body()
      local problem = body and problem_of(body:getBytes(0, body:length()), messages[known.message])
      if problem then
        -- The gateway's local_reply_config makes an error body of the text.
        handle:respond({ [":status"] = "400" }, problem)
      end
      return
    end
  end
end
